"""Converting, loading and describing models."""

import logging

# It says at every import that an optional kernel of the hub is missing.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
