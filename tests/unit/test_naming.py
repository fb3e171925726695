"""Names made from overrides."""

from lac.config.naming import MAX_NAME_ON_WANDB, name_on_wandb


def test_name_on_wandb_tells_what_was_chosen():
    words = ["env=oscillator", "algo=sac", "seed=3", "algo.lr_a=1e-3", "wandb.tags=[a]", "hydra.run.dir=x"]
    assert name_on_wandb("oscillator", "sac", 3, words) == "oscillator-sac-lr_a_1e-3-seed_3"
    assert name_on_wandb("oscillator", "lac", 0, []) == "oscillator-lac-seed_0"


def test_long_names_on_wandb_differ_where_the_runs_do():
    many = [f"env.kwargs.a_long_name_{number}=1" for number in range(20)]
    names = {name_on_wandb("gym", "lac", seed, [*many, f"env.kwargs.last={last}"]) for seed in (0, 1) for last in "ab"}
    assert len(names) == 4
    assert {len(name) for name in names} == {MAX_NAME_ON_WANDB}
