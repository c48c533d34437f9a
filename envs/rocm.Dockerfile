# The workflow's packages with torch's ROCm build, for `cluster.container`; docs/cluster.md says how.
# BASE, by digest, has Python 3.11 with venv and make; ROCm's own libraries come with torch.
ARG BASE
FROM ${BASE}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /opt/kensho
COPY Makefile pyproject.toml requirements.lock ./
COPY envs envs
COPY workflow workflow
RUN make .venv/installed TORCH=rocm
ENV PATH=/opt/kensho/.venv/bin:$PATH
