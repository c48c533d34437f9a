"""The loop takes the steps that TRL's SFTTrainer takes with the same settings."""

import numpy as np
import pytest
import torch
from datasets import Dataset
from kensho.data.prompt import completion, prompt
from kensho.models.loading import tokenizer_of
from kensho.train.loop import collated, summed_loss
from kensho.train.samples import encoded
from kensho.train.stage import draw
from test_sft import FULL, LORA, PAIRS, SCHEDULE, run
from transformers import AutoModelForCausalLM, set_seed
from trl import SFTConfig, SFTTrainer


def losses_of_trl(folder, output, arm, accumulation):
    drawn = draw(PAIRS, SCHEDULE["steps"] * SCHEDULE["batch_size"] * accumulation, 1)
    tokenizer = tokenizer_of(folder)
    texts = zip(drawn["en"].map(prompt), drawn["ja"].map(completion), strict=True)
    rows = [encoded(tokenizer, *pair, chat=False) for pair in texts]
    set_seed(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapter = arm["method"].adapter
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list(rows),
        peft_config=adapter and adapter(arm["rank"], arm["targets"]),
        args=SFTConfig(
            output_dir=str(output),
            max_steps=SCHEDULE["steps"],
            per_device_train_batch_size=SCHEDULE["batch_size"],
            gradient_accumulation_steps=accumulation,
            learning_rate=SCHEDULE["learning_rate"],
            warmup_steps=1,
            max_length=SCHEDULE["max_length"],
            train_sampling_strategy="sequential",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=1,
        ),
    )
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize(("arm", "accumulation"), [(LORA, 1), (FULL, 1), (LORA, 2)])
def test_losses_are_those_of_trl(tiny_model, tmp_path, arm, accumulation):
    steps, _ = run(tiny_model, tmp_path / "ours", accumulation=accumulation, **arm)
    expected = losses_of_trl(tiny_model, tmp_path / "trl", arm, accumulation)
    np.testing.assert_allclose(steps["loss"], expected, rtol=1e-5)


def test_logits_where_nothing_is_learned_change_nothing(tiny_model):
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    rows = [
        {"input_ids": [5, 6, 7, 8, 9], "labels": [-100, -100, 7, 8, 9]},
        {"input_ids": [5, 6, 7], "labels": [-100, 6, 7]},
    ]
    batch = collated(rows, pad=1)
    assert batch["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    ours = summed_loss(model, **batch)
    ours.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    whole = torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), batch["labels"][:, 1:], reduction="sum"
    )
    whole.backward()
    torch.testing.assert_close(ours, whole)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, msg=name)


def test_a_loss_that_is_no_number_stops_with_the_mend(tiny_model, tmp_path):
    with pytest.raises(
        ValueError, match=r"^test: the loss of step \d is \w+; lower learning_rate$"
    ):
        run(tiny_model, tmp_path, learning_rate=1e20, steps=30, **FULL)


def test_a_step_without_anything_to_learn_is_named(tiny_model, tmp_path):
    with pytest.raises(ValueError, match=r"^test: step 1 has no token to learn"):
        run(tiny_model, tmp_path, max_length=4)
