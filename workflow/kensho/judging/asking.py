"""Judges asked, each prompt once; what no judge answers is counted by its kind, not passed over."""

from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import NamedTuple

from kensho.jlce import chat
from kensho.jlce.chat import Endpoint, Late, Refused, Reply

MOST_LATE = 3  # requests without a reply in time, one after another: then it is not asked on


class Missing(NamedTuple):
    """Why there is no reply: ``refused``, ``late``, ``gone`` or ``not asked``, and in words."""

    kind: str
    why: str


def replies(
    endpoint: Endpoint, prompts: Iterable[str], journal: MutableMapping[str, list]
) -> dict[str, Reply | Missing]:
    """Reply to each prompt, or why there is none. Replies enter the journal as they come.

    A judge that is out of reach, or late several times running, is not asked on. Raises ValueError
    where the configuration is wrong: no key, no such model, no chat endpoint.
    """
    keys = {prompt: chat.key_of(endpoint, prompt) for prompt in prompts}
    if any(key not in journal for key in keys.values()):
        secret = chat.key_from_environment(endpoint)
    stopped, lock = Event(), Lock()
    late = 0

    def one(prompt: str) -> Reply | Missing:
        nonlocal late
        key = keys[prompt]
        if key in journal:
            return Reply(*journal[key])
        if stopped.is_set():
            return Missing("not asked", "the judge was gone by then")
        try:
            reply = chat.ask(endpoint, prompt, secret)
        except Refused as error:
            return Missing("refused", str(error))
        except Late as error:
            with lock:
                late += 1
                if late >= MOST_LATE:
                    stopped.set()
            return Missing("late", str(error))
        except ConnectionError as error:
            stopped.set()
            return Missing("gone", str(error))
        except ValueError:
            stopped.set()
            raise
        with lock:
            late = 0
            journal[key] = list(reply)
        return reply

    with ThreadPoolExecutor(endpoint.parallel) as pool:
        return dict(zip(keys, pool.map(one, keys), strict=True))
