import pandas as pd
import pytest
import torch
from kensho.bench import medical
from kensho.bench.run import Run
from kensho.bench.settings import Medical
from kensho.evaluate import harness
from kensho.evaluate.lm import Backend
from kensho.models import loading, reference
from kensho.models.reference import Reference
from kensho.train.methods import lora
from kensho.train.run import Training
from kensho.train.sft import stage
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer


def write(path, rows):
    pd.DataFrame(rows).to_csv(path, header=False, index=False, encoding="utf-8-sig")
    return path


def subject(path, count, start=0):
    kinds = "心肺肝腎胃腸脳骨皮膚眼耳鼻舌歯血筋神経"
    rows = [
        [f" {kinds[i % 19]}{chr(0x4E00 + 97 * (start + i))}{start + i}の検査 ", "甲", "乙", "丙 ",
         "丁", "ABCD"[i % 4]]
        for i in range(count)
    ]  # fmt: skip
    return write(path, rows)


@pytest.fixture
def files(tmp_path):
    return {
        "anatomy": subject(tmp_path / "a.csv", 12),
        "virology": subject(tmp_path / "v.csv", 9, start=50),
    }


def test_training_and_evaluation_ask_in_the_same_words(files):
    items, _ = medical.read_items(files, 80)
    first = items.iloc[1]
    assert first["prompt"].endswith("の検査\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答え：")
    assert (first["id"], first["completion"], first["label"]) == ("anatomy-2", " B", 1)


def test_what_is_left_out_is_counted(tmp_path):
    rows = [
        ["心臓の弁の数はいくつか", "一", "二", "三", "四", "D"],
        ["心臓の弁の数はいくつか？", "一", "二", "三", "四", "D"],  # the same once more
        ["肝" * 50, "一", "二", "三", "四", "A"],
        ["腎臓はいくつあるか", "一", "二", "三", "四", "B"],
    ]
    path = write(tmp_path / "a.csv", rows)
    items, dropped = medical.read_items({"anatomy": path}, 53)
    assert items["id"].tolist() == ["anatomy-1", "anatomy-4"]
    assert dropped == {"too long": 1, "near-duplicates": 1}
    assert len(medical.read_items({"anatomy": path}, 54)[0]) == 3


@pytest.mark.parametrize(
    "row", [["問", "一", "二", "三", "四", "E"], ["問", "一", "", "三", "四", "A"]]
)
def test_a_row_that_is_no_question_is_refused(tmp_path, row):
    path = write(tmp_path / "a.csv", [row])
    with pytest.raises(ValueError, match="a row is not a question"):
        medical.read_items({"anatomy": path}, 80)


def test_no_item_is_in_both_halves_and_each_subject_is_in_both(files):
    items, _ = medical.read_items(files, 80)
    trained, asked = medical.halves(items, seed=1)
    assert sorted([*trained["id"], *asked["id"]]) == sorted(items["id"])
    assert trained["subject"].value_counts().to_dict() == {"anatomy": 6, "virology": 5}
    assert asked["subject"].value_counts().to_dict() == {"anatomy": 6, "virology": 4}
    assert medical.halves(items, seed=1)[1].equals(asked)
    assert not medical.halves(items, seed=2)[1]["id"].equals(asked["id"])


def test_the_quantised_base_holds_its_layers_in_four_bits(tiny_model, tmp_path):
    medical.quantise(tiny_model, tmp_path / "nf4", torch.float32)
    plain, packed = (
        AutoModelForCausalLM.from_pretrained(folder).model.layers[0].mlp.up_proj.weight
        for folder in (tiny_model, tmp_path / "nf4")
    )
    assert packed.dtype is torch.uint8 and packed.numel() * 2 == plain.numel()
    assert packed.quant_state.nested and packed.quant_state.quant_type == "nf4"


def test_an_adapter_learns_on_a_quantised_base_as_on_its_values(block_model, tmp_path):
    """On processors with bf16 bitsandbytes has a product of its own, which passes no gradient."""
    packed, plain = tmp_path / "nf4", tmp_path / "plain"
    medical.quantise(block_model, packed, torch.float32)
    values = AutoModelForCausalLM.from_pretrained(packed).dequantize().state_dict()
    model = AutoModelForCausalLM.from_pretrained(block_model)
    model.load_state_dict(values)
    model.save_pretrained(plain)
    AutoTokenizer.from_pretrained(packed).save_pretrained(plain)
    rows = [{"prompt": f"問{i}", "completion": "ABCD"[i % 4]} for i in range(8)]
    losses = [
        stage(
            Reference.of(base),
            pd.DataFrame(rows),
            tmp_path / f"{base.name}-model",
            tmp_path / f"{base.name}-checkpoints",
            Training(
                **{"name": "test", "method": lora.METHOD, "rank": 4, "dtype": torch.float32},
                **{"targets": ["q_proj", "v_proj"], "learning_rate": 0.1, "steps": 6, "seed": 1},
                **{"batch_size": 2, "max_length": 32, "checkpoint_every": 6},
            ),
        )[0]["loss"].tolist()
        for base in (packed, plain)
    ]
    assert losses[0][-1] < losses[0][0]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    adapter = tmp_path / "nf4-model"
    asked, _ = loading.load(packed, torch.float32, adapter)
    assert isinstance(asked, PeftModel)  # in 4 bits it would have lost most of what it learnt
    with pytest.raises(ValueError, match="weights in 4 bits would lose most of the adapters"):
        loading.merged(packed, torch.float32, [adapter])


def test_every_arm_answers_the_same_items(block_model, tmp_path, files):
    settings = Medical(
        **{"items": 8, "max_characters": 80, "seeds": [1, 2], "rank": 4, "learning_rate": 1e-2},
        **{"steps": 3, "batch_size": 2, "max_length": 256, "evaluated_at_once": 4},
    )
    run = Run(tmp_path, threads=1, seed=0, left_out={"nutrition": "absent"})
    observed, described = medical.split_and_observe(
        reference.base(block_model), files, torch.float32, settings, run
    )
    answers = observed[observed["metric"] == "accuracy"]
    assert answers["value"].isin([0, 1]).all()
    asked = {arm: rows["block"].unique().tolist() for arm, rows in answers.groupby("arm")}
    assert asked["base"] == asked["base-nf4"] == asked["qlora"] and len(asked["base"]) == 8
    replicates = answers.groupby("arm")["replicate"].unique().map(list).to_dict()
    assert replicates == {"base": [0], "base-nf4": [0], "qlora": [1, 2]}
    losses = observed[observed["metric"] == "training_loss"].pivot(
        index="replicate", columns="block", values="value"
    )
    assert losses.shape == (3, 2) and (losses["seed-1"] != losses["seed-2"]).all()
    assert described["items"] == {
        "to train on": 11, "asked": 8, "too long": 0, "near-duplicates": 0
    }  # fmt: skip
    assert described["fallbacks"] == ["nutrition left out: absent"]
    assert not list(tmp_path.glob("tmp*"))


def test_the_answer_is_the_letter_with_the_highest_likelihood(tiny_model, files):
    from kensho.models.loading import load

    items, _ = medical.read_items(files, 80)
    model, tokenizer = load(tiny_model, torch.float32)
    asked = Backend(pretrained=model, tokenizer=tokenizer, batch_size=2)
    logs = harness.run(asked, [harness.task("jmmlu", items.head(3))], seed=0)
    for log in logs["jmmlu"]:
        prompt = tokenizer(log["doc"]["prompt"])["input_ids"]
        space, *letters = (tokenizer(text)["input_ids"][0] for text in (" ", *"ABCD"))
        with torch.inference_mode():
            logits = model(torch.tensor([[*prompt, space]])).logits[0, -1]
        best = max(range(4), key=lambda i: logits[letters[i]])
        assert log["acc"] == float(best == log["doc"]["label"])
