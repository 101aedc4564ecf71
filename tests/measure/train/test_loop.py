"""Training really learns, can be stopped, saved, and gone on with."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.train import loop, save
from dayrate.measure.train.job import Evaluation, Job, Run
from dayrate.measure.train.loop import train
from dayrate.measure.train.save import save_checkpoint

from .made import JOB, MASKED, text_file, trained


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One step's model, to be copied before it is spoilt."""
    folder = tmp_path_factory.mktemp("trained")
    save_checkpoint(trained(folder, replace(JOB, steps=1)), folder / "model")
    return folder / "model"


def test_the_next_token_is_learnt(tmp_path: Path) -> None:
    run = trained(tmp_path).run
    first, last = run.evaluations[0], run.evaluations[-1]
    assert last.perplexity < 0.7 * first.perplexity
    assert first.loss == pytest.approx(math.log(400), rel=0.05)  # as good as chance
    assert [e.step for e in run.evaluations] == [0, 6, 12]
    assert run.steps == 12
    assert not run.stopped


def test_hidden_tokens_are_learnt(tmp_path: Path) -> None:
    run = trained(tmp_path, MASKED).run
    first, last = run.evaluations[0], run.evaluations[-1]
    assert last.perplexity < 0.7 * first.perplexity
    assert last.next_passage_accuracy_frac is not None
    assert first.next_passage_accuracy_frac == pytest.approx(0.5, abs=0.4)


def test_the_same_seed_gives_the_same_losses(tmp_path: Path) -> None:
    short = replace(JOB, steps=3)
    one, two = trained(tmp_path, short).run, trained(tmp_path, short).run
    assert one.losses == two.losses
    assert trained(tmp_path, replace(short, seed=1)).run.losses != one.losses


def test_figures_hang_together(tmp_path: Path) -> None:
    run = trained(tmp_path, replace(JOB, steps=2)).run
    assert run.tokens_per_s * run.seconds == pytest.approx(2 * JOB.step_tokens)
    assert run.flop_per_step_counted == pytest.approx(run.flop_per_step_predicted)
    assert 0 < run.mfu_frac < 1
    assert run.trained_params == run.params
    assert run.peak_memory_bytes > 1e7


def test_what_was_saved_goes_on_where_it_stopped(tmp_path: Path) -> None:
    before = trained(tmp_path)
    save_checkpoint(before, tmp_path / "model")
    on = replace(JOB, start=tmp_path / "model", text=text_file(tmp_path), steps=1)
    after = train(on).run
    assert after.evaluations[0].loss == pytest.approx(
        before.run.evaluations[-1].loss, rel=1e-5
    )
    assert after.params == before.run.params


def test_lora_trains_few_weights_and_is_merged_when_saved(tmp_path: Path) -> None:
    save_checkpoint(trained(tmp_path), tmp_path / "model")
    lora = replace(
        JOB,
        start=tmp_path / "model",
        text=text_file(tmp_path),
        lora_rank=2,
        learning_rate=0.05,
    )
    adapted = train(lora)
    run = adapted.run
    assert run.trained_params < run.params / 20
    assert run.evaluations[-1].loss < run.evaluations[0].loss
    save_checkpoint(adapted, tmp_path / "adapted")
    on = replace(lora, start=tmp_path / "adapted", lora_rank=None, steps=1)
    assert train(on).run.evaluations[0].loss == pytest.approx(
        run.evaluations[-1].loss, rel=1e-4
    )


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    def stop(step: int, loss: float, found: Evaluation | None) -> None:
        if step == 4:
            raise KeyboardInterrupt

    run = train(replace(JOB, text=text_file(tmp_path)), stop).run
    assert run.stopped == "interrupted"
    assert run.steps == 4
    assert run.evaluations[-1].step == 4


def test_time_runs_out(tmp_path: Path) -> None:
    run = trained(tmp_path, replace(JOB, max_seconds=1e-9)).run
    assert run.steps == 1
    assert "--max-seconds" in run.stopped


def test_a_loss_that_is_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_rate", lambda step, steps: math.nan)
    with pytest.raises(InvalidInput, match="--learning-rate"):
        trained(tmp_path)


def test_a_checkpoint_of_the_other_kind(checkpoint: Path) -> None:
    with pytest.raises(InvalidInput, match="type gpt2"):
        train(replace(MASKED, start=checkpoint))
    with pytest.raises(InvalidInput, match="knows 32 positions"):
        train(replace(JOB, start=checkpoint, context=64))


@pytest.mark.parametrize("kind", ["missing", "truncated", "other"])
def test_a_checkpoint_that_cannot_be_read(
    tmp_path: Path, checkpoint: Path, kind: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    weights = folder / "model.safetensors"
    if kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    else:
        weights.unlink()
    if kind == "other":
        (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(InvalidInput, match="Cannot read the checkpoint"):
        train(replace(JOB, start=folder))


def test_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trained(tmp_path, replace(JOB, steps=1))

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made.tokenizer.__class__, "save_pretrained", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(InvalidInput, match="No space left on device"):
        save.save_checkpoint(made, tmp_path / "out" / "model")
    assert not list((tmp_path / "out").iterdir())


def test_no_such_device() -> None:
    with pytest.raises(InvalidInput, match="torch sees no such device"):
        train(Job(device="cuda:7"))


def test_a_run_counts_its_tokens(tmp_path: Path) -> None:
    run: Run = trained(tmp_path, replace(JOB, steps=1)).run
    assert run.training_tokens > run.validation_tokens > 0
