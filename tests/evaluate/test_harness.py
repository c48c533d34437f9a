import json

import pandas as pd
import pytest
import sacrebleu
import torch
from kensho.data.prompt import completion, prompt
from kensho.evaluate import harness, scores
from kensho.evaluate.lm import Backend
from kensho.models.loading import load
from transformers import AutoModelForCausalLM

TEST = pd.DataFrame({"en": ["I am a cat.", "Tom runs."], "ja": ["私は猫です。", "トムは走る。"]})


@pytest.fixture(scope="module")
def samples(tiny_model):
    model, tokenizer = load(tiny_model, torch.float32)
    choices = pd.DataFrame(
        [{"question": "空の色は？", **{f"choice{i}": c for i, c in enumerate("青赤緑黒白")}}]
    ).assign(label=0)
    pairs = pd.DataFrame([{"sentence1": "犬がいる。", "sentence2": "動物がいる。"}])
    tasks = [
        harness.task("tatoeba_nll", TEST),
        harness.task("tatoeba_en_ja", TEST, max_gen_toks=8),
        harness.task("jcommonsenseqa", choices),
        harness.task("jnli", pairs.assign(label="entailment")),
    ]
    asked = Backend(pretrained=model, tokenizer=tokenizer, batch_size=2)
    return harness.run(asked, tasks, seed=1)


def test_nll_equals_the_model_asked_directly(samples, tiny_model):
    model, tokenizer = load(tiny_model, torch.float32)
    for log, en, ja in zip(samples["tatoeba_nll"], TEST["en"], TEST["ja"]):
        context = tokenizer(prompt(en), return_tensors="pt")["input_ids"]
        target = tokenizer(completion(ja), return_tensors="pt")["input_ids"]
        ids = torch.cat([context, target], dim=1)
        with torch.inference_mode():
            steps = model(ids).logits[0, context.shape[1] - 1 : -1].log_softmax(-1)
        expected = steps.gather(1, target[0][:, None]).sum().item()
        assert log["filtered_resps"][0][0] == pytest.approx(expected, rel=1e-4)


def test_prompts_of_training_and_evaluation_are_the_same(samples):
    asked = samples["tatoeba_nll"][0]["arguments"][0]
    assert asked[0] + asked[1] == prompt("I am a cat.") + completion("私は猫です。")


def test_choices_and_labels_are_japanese_and_filled_in(samples):
    assert [a[1] for a in samples["jcommonsenseqa"][0]["arguments"]] == list("青赤緑黒白")
    assert [a[1] for a in samples["jnli"][0]["arguments"]] == ["含意", "矛盾", "中立"]
    assert samples["jnli"][0]["target"] == 0


def test_items_and_totals_agree(samples):
    items = scores.items(samples)
    totals = {metric: value for metric, value, _ in scores.totals(samples)}
    by_metric = items.groupby("metric")["value"].sum()
    assert totals["nll_per_character"] == by_metric["nll"] / by_metric["characters"]
    assert by_metric["characters"] == TEST["ja"].str.len().sum()
    assert totals["accuracy_jnli"] in (0.0, 1.0)
    answers = [log["filtered_resps"][0].strip() for log in samples["tatoeba_en_ja"]]
    assert totals["chrf"] == sacrebleu.corpus_chrf(answers, [list(TEST["ja"])]).score


def test_rows_have_items_and_totals_of_their_seed(samples):
    per_item, per_seed = scores.rows("arm", {7: samples})
    assert {row["replicate"] for row in per_item} == {7}
    assert {row["block"] for row in per_seed} == {"seed-7"}
    assert "nll_per_character" in {row["metric"] for row in per_seed}


def test_logs_keep_what_was_asked_and_answered(samples, tmp_path):
    harness.write_logs(tmp_path / "samples.jsonl", {1: samples})
    lines = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert len(lines) == 6 and {line["seed"] for line in lines} == {1}
    assert {"arguments", "filtered_resps", "target"} <= lines[0].keys()


def test_an_adapter_that_changes_nothing_is_refused(tiny_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    fresh = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
    fresh.save_pretrained(tmp_path)  # B is zero before training: the adapter does nothing
    with pytest.raises(ValueError, match="does not change the logits"):
        load(tiny_model, torch.float32, tmp_path)


def test_unreadable_items_name_the_file(tmp_path):
    broken = tmp_path / "items.json"
    broken.write_text("{not json")
    with pytest.raises(ValueError, match=r"items\.json"):
        harness.read_items(broken)
