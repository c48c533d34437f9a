"""vLLM itself: what it scores and writes is what transformers does, or it is not used."""

import json
import os
import signal
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from kensho.evaluate import greedy, harness
from kensho.evaluate.engines import opened
from kensho.evaluate.greedy import Decoding
from kensho.evaluate.lm import Backend
from kensho.evaluate.vllm import VllmLM
from kensho.files import read_json
from kensho.jlce import run
from kensho.jlce.lm import KenshoLM
from kensho.models import engine, twins, vllm_check
from kensho.models.engine import Engine
from kensho.models.loading import load, load_reference
from kensho.models.reference import Adapter, Reference
from kensho.models.vllm import Vllm
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from planning import copied, snakemake  # noqa: E402  of another folder of tests

pytestmark = pytest.mark.vllm
SMOLLM2 = ROOT / "results/models/smollm2-135m-instruct"
TASKS = ["commonsense", "reading", "style"]
PAIRS = pd.DataFrame({"en": ["I am a cat.", "Tom runs."], "ja": ["私は猫です。", "トムは走る。"]})


@pytest.fixture(scope="module")
def python():
    return engine.find("vllm", []).python


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """A Llama with a chat template."""
    folder = tmp_path_factory.mktemp("twin") / "llama"
    template = "{% for m in messages %}{{ m['content'] }}{% endfor %}<think>\n"
    return twins.make("llama", folder, seed=1, chat_template=template)


@pytest.fixture(scope="module")
def adapter(twin, tmp_path_factory):
    """LoRA on the twin that changes what it computes."""
    folder = tmp_path_factory.mktemp("adapter")
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(twin), config)
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.1)
    model.save_pretrained(folder)
    return folder


def reference(base, *adapters):
    held = [Adapter(path=str(path), sha256="", method="lora") for path in adapters]
    return Reference.of(base).model_copy(update={"adapters": held})


def served(python, model):
    return Vllm(python, model, torch.float32, threads=2)


@pytest.mark.timeout(1500)
def test_smollm2_answers_jlce_as_in_transformers(python):
    """Issue of engines: every choice the same, likelihoods within 1e-3, 95 % of the answers."""
    assert SMOLLM2.is_dir(), "needs a finished `make report`"
    settings = run.Settings(TASKS, limit=8)
    model, tokenizer = load(SMOLLM2, torch.float32)
    ours = run.evaluate(
        KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=8), settings, seed=1
    )
    with served(python, reference(SMOLLM2)) as by_vllm:
        theirs = run.evaluate(VllmLM(by_vllm, batch_size=8), settings, seed=1)
    written = []
    for name, logs in ours.items():
        for one, other in zip(logs, theirs[name], strict=True):
            answers = one["filtered_resps"], other["filtered_resps"]
            if isinstance(answers[0][0], str):
                written.append(answers)
                continue
            values, others = ([float(value) for value, _ in each] for each in answers)
            assert others == pytest.approx(values, rel=1e-3)
            assert values.index(max(values)) == others.index(max(others))
    different = [pair for pair in written if pair[0] != pair[1]]
    print(*different, sep="\n")
    assert len(written) > 8 and len(different) <= 0.05 * len(written)


def test_an_adapter_is_applied_and_scored_as_in_transformers(python, twin, adapter):
    tasks = [harness.task("tatoeba_nll", PAIRS), harness.task("tatoeba_en_ja", PAIRS)]
    tasks[1]["generation_kwargs"]["max_gen_toks"] = 6
    adapted = reference(twin, adapter)
    found = {}
    for name, model in {"base": reference(twin), "adapted": adapted}.items():
        loaded, tokenizer = load_reference(model, torch.float32)
        ours = harness.run(
            Backend(pretrained=loaded, tokenizer=tokenizer, batch_size=2), tasks, seed=1
        )
        with served(python, model) as by_vllm:
            theirs = harness.run(VllmLM(by_vllm, batch_size=2), tasks, seed=1)
        for one, other in zip(ours["tatoeba_nll"], theirs["tatoeba_nll"], strict=True):
            assert other["resps"][0][0][0] == pytest.approx(one["resps"][0][0][0], rel=1e-3)
        for one, other in zip(ours["tatoeba_en_ja"], theirs["tatoeba_en_ja"], strict=True):
            assert other["filtered_resps"] == one["filtered_resps"]
        found[name] = [log["resps"][0][0][0] for log in theirs["tatoeba_nll"]]
    assert all(abs(a - b) > 1 for a, b in zip(*found.values(), strict=True))


def test_an_adapter_that_changes_nothing_is_refused(python, twin, tmp_path):
    config = LoraConfig(r=4, target_modules=["q_proj"])  # its second factor begins with zeros
    get_peft_model(AutoModelForCausalLM.from_pretrained(twin), config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the adapter does not change what vLLM computes"):
        served(python, reference(twin, tmp_path))


def test_thinking_that_a_template_opens_is_no_answer_and_ends_none(python, twin):
    tasks = [harness.task("tatoeba_en_ja", PAIRS, max_gen_toks=12)]
    model, tokenizer = load(twin, torch.float32)
    ours = harness.run(
        KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=2), tasks, seed=1, chat=True
    )
    with served(python, reference(twin)) as by_vllm:
        theirs = harness.run(VllmLM(by_vllm, batch_size=2), tasks, seed=1, chat=True)
    answers = [log["filtered_resps"] for log in theirs["tatoeba_en_ja"]]
    assert answers == [log["filtered_resps"] for log in ours["tatoeba_en_ja"]]
    assert all(one.startswith("<think>") for (one,) in answers)


def test_a_journal_takes_what_was_answered_and_asks_nothing_again(python, twin, tmp_path):
    tasks, journal = [harness.task("tatoeba_nll", PAIRS)], tmp_path / "journal.jsonl"
    with served(python, reference(twin)) as by_vllm:
        first = harness.run(VllmLM(by_vllm, batch_size=2, journal=journal), tasks, seed=1)
        by_vllm.loglikelihoods = None  # whoever asks now fails
        again = harness.run(VllmLM(by_vllm, batch_size=2, journal=journal), tasks, seed=1)
    assert [log["resps"] for log in again["tatoeba_nll"]] == [
        log["resps"] for log in first["tatoeba_nll"]
    ]


def test_architectures_are_served_only_where_the_numbers_are_right(python, tmp_path):
    """What 0.32 computes otherwise on a processor, and what it has no kernel for, it says."""
    fates = {}
    for model_type in ("qwen2", "gemma3_text", "lfm2", "deepseek_v3"):
        made = reference(twins.make(model_type, tmp_path / model_type, seed=1))
        fates[model_type] = vllm_check.unserved(python, made, torch.float32, 2)
    print(json.dumps(fates, indent=1))
    assert fates["qwen2"] is fates["gemma3_text"] is None
    if not torch.cuda.is_available():
        assert "log-likelihood is" in fates["lfm2"] and "MLA" in fates["deepseek_v3"]


def test_what_vllm_does_not_serve_goes_to_transformers_or_stops(python, tmp_path):
    folder = twins.make("deepseek_v3", tmp_path / "twin", seed=1)
    found = Engine(python=python, version="", asked=True)
    asked = reference(folder), torch.float32
    with (
        pytest.raises(ValueError, match=r"vLLM does not serve latent attention \(MLA\)"),
        opened(*asked, found, Backend, threads=2, batch_size=1),
    ):
        pass
    declared = found.model_copy(update={"replaceable": True})
    with opened(reference(folder), torch.float32, declared, Backend, threads=2, batch_size=1) as (
        lm,
        by,
    ):
        assert by.engine["name"] == "transformers" and "MLA" in by.fallback
        assert lm.loglikelihood_rolling is not None


def test_a_killed_vllm_is_one_line(python, twin):
    with served(python, reference(twin)) as by_vllm:
        os.kill(by_vllm._process.pid, signal.SIGKILL)
        with pytest.raises(MemoryError, match="vLLM: killed, as happens out of memory"):
            by_vllm.loglikelihoods([([5], [6])])


def test_answers_go_on_behind_a_stop_that_ends_nothing(python, twin):
    """A stop string within thinking: vLLM halts there, the answer does not."""
    with served(python, reference(twin)) as by_vllm:
        lm = VllmLM(by_vllm, batch_size=1)
        ids = by_vllm.tokenizer("abc")["input_ids"]
        (whole,) = by_vllm.generate([ids], [12], ends=[1])
        letter = by_vllm.tokenizer.decode(whole[2:3])
        (halted,) = by_vllm.generate([ids], [12], ends=[1], stops=[letter])
        assert len(halted) < len(whole)
        decoding = Decoding(12, lambda tokens: tokens[-1] == 1, batch=1, nodes=0)
        assert lm._continue([ids], decoding, [[letter], ""]) == [whole]


def test_a_prompt_that_leaves_room_for_its_answer_alone_is_answered(python, twin):
    """As a longer one is cut to be; a token more is refused before vLLM is asked."""
    with served(python, reference(twin)) as by_vllm:
        lm, most = VllmLM(by_vllm, batch_size=1), by_vllm.about["context"]
        decoding = Decoding(6, lambda tokens: False, batch=1, nodes=0)
        prompt = [5 + place % 7 for place in range(most - 6)]
        (answer,) = lm._continue([prompt], decoding, [[], ""])
        (ours,) = greedy.generate(load(twin, torch.float32)[0], [prompt], decoding, padding=0)
        assert answer == ours and len(answer) == 6
        with pytest.raises(ValueError, match=f"{most + 1} tokens, vLLM holds {most} of this model"):
            lm._continue([[5, *prompt]], decoding, [[], ""])
        (score,) = lm._likelihoods([(prompt, [6] * 5)])
        assert score[0] < 0
        with pytest.raises(ValueError, match="; set engine: transformers"):
            lm._likelihoods([(prompt, [6] * 6)])


ANALYSIS = "results/analysis/R-2.speed.json"


@pytest.mark.timeout(1800)
def test_vocabulary_and_evaluation_run_on_vllm_in_a_rehearsal(python, tmp_path):
    """R-2.speed with chunked prefill on twins, through every rule up to its verdict."""
    copied(tmp_path)
    (tmp_path / ".venv-vllm").symlink_to(ROOT / ".venv-vllm")
    config = (ROOT / "tests/vllm/overlay.yaml").read_text(encoding="utf-8")
    (tmp_path / "overlay.yaml").write_text(config, encoding="utf-8")
    tables = ("evaluation/lora-r8", "jlce/lora-r8", "evaluation/base", "inference/vllm-fp32")
    wanted = [f"results/benchmark_data/{table}.csv" for table in tables]
    asked = ("--configfile", "overlay.yaml", "--quiet", "all", "--until", *wanted, ANALYSIS)
    ran = snakemake(tmp_path, *asked, "--", "rehearsal", timeout=1700)
    assert ran.returncode == 0, ran.stdout[-3000:]
    observed = tmp_path / "rehearsal/results/benchmark_data"
    for arm in ("base", "expanded"):
        by = read_json(observed / f"vocabulary/{arm}.conditions.json")["own"]["engine"]
        assert by["name"] == "vllm" and by["chunked_prefill"]
    for table in tables[:3]:
        assert read_json(observed / f"{table}.conditions.json")["own"]["engine"]["name"] == "vllm"
    verdict = read_json(tmp_path / "rehearsal" / ANALYSIS)
    assert verdict["tier"] == "rehearsal"
