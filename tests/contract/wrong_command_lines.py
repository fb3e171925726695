"""Command lines that are refused, each with the key that is named, the value that is quoted, and hints."""

from lac.settings.rules import SEED

LAST_SEED = int(SEED.high)
LR_WORDS = ["linear", "exponential", "constant"]

# arguments; key that is named; value that is quoted; allowed values and hints that are told: what is told alone
WRONG = {
    # options of groups
    "no algorithm": ("algo=null", "algo", "null", ["lac"]),
    "no environment": ("env=null", "env", "null", ["oscillator", "gym"]),
    "algorithm forced by name": ("algo.name=lax", "algo.name", "lax", ["lac"]),
    "other algorithm forced by name": ("algo.name=sac", "algo.name", "sac", ["algo=NAME"]),
    "key of another algorithm": ("algo=sac algo.alpha3=0.1", "algo.alpha3", "", ["lac and latc"]),
    "key of another algorithm, added": ("algo=sac +algo.labda=0.1", "algo.labda", "", ["lac and latc"]),
    "settings of another algorithm": ("algo=sac recipe=lac", "recipe", "lac", ["lac and latc"]),
    "key of one algorithm of a sweep": ("-m algo=lac,sac algo.alpha3=0.1", "algo.alpha3", "", ["algo=sac", "latc"]),
    # devices
    "misspelt device": ("device.name=cdua", "device.name", "cdua", ["cpu", "cuda", "auto"]),
    "device with a wrong number": ("device.name=gpu:x", "device.name", "gpu:x", ["gpu:N", "cpu"]),
    # environments
    "gym without id": ("env=gym", "env.id", "", ["not set", "env.id=Pendulum-v1"]),
    "misspelt id": ("env=gym env.id=Pendulm-v1", "env.id", "Pendulm-v1", ["Did you mean 'Pendulum-v1'"]),
    "misspelt own id": ("env.id=lac/Oscilator-v1", "env.id", "Oscilator", ["Did you mean 'lac/Oscillator-v1'"]),
    "module that is not there": ("env=gym env.id=no_such_module:X-v0", "env.id", "no_such_module:X-v0", []),
    "misspelt argument": ("+env.kwargs.max_cst=1", "env.kwargs.max_cst", "", ["Did you mean 'max_cost'"]),
    "misspelt argument, not added": ("env.kwargs.max_cst=1", "env.kwargs.max_cst", "", ["max_cost"]),
    # disturbances
    "kind by hand": ("disturbance=impulse disturbance.kind=noise", "disturbance.kind", "noise", ["impulse"]),
    "name that is no file": ("disturbance=impulse disturbance.name=a/b", "disturbance.name", "a/b", ["letters"]),
    "disturbance null": ("disturbance=null", "disturbance", "null", ["none", "impulse"]),
    "key without a disturbance": ("disturbance.magnitude=80", "disturbance.magnitude", "", ["disturbance=OPTION"]),
    "one step and every so many": (
        "disturbance=impulse disturbance.every=20",
        "disturbance.at_step",
        "200",
        ["disturbance.every is 20", "null"],
    ),
    "process noise on everything": ("disturbance=noise_process", "disturbance.dims", "", ["[0,1,2]"]),
    "parameters without one": ("disturbance=parameters", "disturbance.values", "{}", ["disturbance.values.K=5"]),
    "word for an attribute": (
        "disturbance=parameters disturbance.values.K=big",
        "disturbance.values.K",
        "big",
        ["number"],
    ),
    "reference without change": ("disturbance=reference", "disturbance.constant", "", ["period"]),
    # files
    "policy that is not there": ("train.start_policy=no/run", "train.start_policy", "no/run", ["does not exist"]),
    "folder that is no run": ("train.start_policy=empty", "train.start_policy", "empty", ["policy"]),
    # settings against each other
    "one run is no sweep": ("dry_run=true", "dry_run", "true", ["-m"]),
    "group given twice": ("env=oscillator env=gym", "env", "", ["oscillator and as gym"]),
    "more jobs than a list holds": ("-m seed=range(0,1000000000)", "jobs", "", ["1000000000", "100000"]),
    "no jobs": ("-m seed=range(0)", "range(0)", "", ["no jobs"]),
    "values that cannot be listed": ("-m seed=1,2,range(3)", "seed=1,2,range(3)", "", ["single values"]),
    # Hydra's grammar
    "unknown variable": ("algo.gamma=${oc.env:NO_SUCH_VARIABLE}", "algo.gamma", "NO_SUCH_VARIABLE", []),
    "misspelt main config": ("--config-name=trian", "--config-name", "trian", ["train"]),
}

# What is wrong by itself: each line of this table is one command line, with all of its problems.
WRONG_TOGETHER = {
    "names that do not exist": {
        "misspelt key": ("algo.gama=0.9", "algo.gama", "", ["Did you mean 'algo.gamma'"]),
        "misspelt first part": ("trian.epochs=3", "trian.epochs", "", ["Did you mean 'train.epochs'"]),
        "key without its group": ("gamma=0.9", "gamma", "", ["Did you mean 'algo.gamma'"]),
        "misspelt group": ("netwrok=small", "netwrok", "", ["Did you mean 'network'"]),
        "key of nothing": ("quantum=1", "quantum", "", ["--help"]),
        "added key": ("+algo.extra=1", "algo.extra", "", ["alpha3", "gamma", "lr_a"]),
        "added group of keys": ("+network.depth=3", "network.depth", "", ["hidden_sizes", "activation"]),
        "added key, nearly right": ("+wandb.projct=x", "wandb.projct", "", ["Did you mean 'project'"]),
        "deleted key": ("~algo.gamma", "algo.gamma", "", []),
        "deleted single key": ("~seed", "seed", "", []),
        "deleted part": ("~train", "train", "", []),
        "deleted option": ("~env", "env", "", []),
        "key below the leaves": (
            "+network.hidden_sizes.extra=1",
            "network.hidden_sizes.extra",
            "",
            ["actor", "critic"],
        ),
    },
    "what could break the check itself": {
        "module that cannot be a module": ("env=gym env.id=.:x", "env.id", ".:x", ["PYTHONPATH"]),
        "nested sizes": ("network.hidden_sizes.actor=[[1,2],[3]]", "network.hidden_sizes.actor", "", ["[64,64]"]),
        "interpolation of nothing": ("algo.gamma=${nothing}", "algo.gamma", "", ["'nothing'"]),
        "interpolation of itself": ("algo.alpha=${algo.alpha}", "algo.alpha", "", []),
        "interpolation for a part": ("++network.activation=${nothing}", "network.activation", "", ["'nothing'"]),
        "interpolation in a list": ("wandb.tags=[${nothing}]", "wandb.tags", "", []),
        "interpolation in a disturbance": (
            "disturbance=impulse disturbance.magnitude=${nothing}",
            "disturbance.magnitude",
            "",
            [],
        ),
        "missing on purpose": ("train.epochs=???", "train.epochs", "", ["not set"]),
        "number beyond all": ("train.batch_size=1e400", "train.batch_size", "1e400", ["whole number"]),
        "whole number beyond all": ("train.save_freq=1" + "0" * 40, "train.save_freq", "", ["9007199254740992"]),
        "number beyond single precision": ("algo.alpha3=1e39", "algo.alpha3", "1e+39", ["3.4e+38"]),
        "termination beyond single precision": (
            "env.termination_cost=1e39",
            "env.termination_cost",
            "1e+39",
            ["3.4e+38"],
        ),
        "scale beyond single precision": ("network.observation_scale=1e39", "network.observation_scale", "", []),
        "too many seeds": ("train.seeds=1e20", "train.seeds", "1e20", ["10000"]),
        "too many threads": ("device.threads=10000000", "device.threads", "10000000", ["1024"]),
        "too many environments": ("env.num_envs=1000000000", "env.num_envs", "1000000000", ["10000"]),
    },
    "settings against each other": {
        "floor above the start": ("algo.labda=0.1 algo.labda_min=0.9", "algo.labda_min", "0.9", ["algo.labda=0.1"]),
        "decay to 0": (
            "lr_schedule=exponential lr_schedule.lr_a_final=0",
            "lr_schedule.lr_a_final",
            "0.0",
            ["lr_schedule.lr_a_decay_type=linear"],
        ),
        "batch above the buffer": (
            "train.batch_size=5000 train.replay_size=100",
            "train.batch_size",
            "5000",
            ["train.replay_size=100"],
        ),
        "for ever without a discount": (
            "env.termination_cost=absorbing algo.gamma=1 algo.horizon_length=0",
            "env.termination_cost",
            "absorbing",
            ["algo.gamma=1.0", "number"],
        ),
        "seeds past the last": (f"seed={LAST_SEED} train.seeds=3", "train.seeds", "3", [f"seed={LAST_SEED}"]),
        "dry run": ("dry_run=true", "dry_run", "true", ["-m"]),
    },
    "options of groups": {
        "misspelt algorithm": ("algo=lax", "algo", "lax", ["Did you mean 'lac'"]),
        "misspelt environment": ("env=oscilator", "env", "oscilator", ["gym", "Did you mean 'oscillator'"]),
        "unknown network": ("network=tiny", "network", "tiny", ["default", "paper", "small"]),
        "misspelt schedule": ("lr_schedule=liner", "lr_schedule", "liner", [*LR_WORDS, "Did you mean 'linear'"]),
        "unknown device option": ("device=tpu", "device", "tpu", ["auto", "cpu", "cuda"]),
        "unknown tuned settings": ("tuned=best", "tuned", "best", ["none"]),
        "misspelt experiment": (
            "experiment=slc2024/oscilator",
            "experiment",
            "slc2024/oscilator",
            ["Did you mean 'slc2024/oscillator'"],
        ),
        "misspelt disturbance": ("disturbance=impuls", "disturbance", "impuls", ["none", "Did you mean 'impulse'"]),
    },
    "Hydra's grammar": {
        "key without a value": ("algo.gamma", "algo.gamma", "", ["KEY=VALUE"]),
        "value without a key": ("=3", "=3", "", ["KEY=VALUE"]),
        "open bracket": ("algo.gamma=[", "algo.gamma=[", "", ["KEY=VALUE"]),
        "trailing comma": ("algo.gamma=0.9,", "algo.gamma=0.9,", "", ["KEY=VALUE"]),
        "sweep without -m": ("seed=0,1", "seed", "0,1", ["-m"]),
    },
    "keys of a disturbance": {
        "misspelt key of a disturbance": (
            "disturbance=impulse disturbance.magnitud=80",
            "disturbance.magnitud",
            "",
            ["Did you mean 'disturbance.magnitude'"],
        ),
        "key of another disturbance": (
            "disturbance=impulse disturbance.std=1",
            "disturbance.std",
            "",
            ["magnitude, at_step, every"],
        ),
        "key added to a disturbance": ("disturbance=impulse +disturbance.evry=1", "disturbance.evry", "", ["'every'"]),
        "attribute for an impulse": (
            "disturbance=impulse disturbance.values.K=5",
            "disturbance.values",
            "",
            ["magnitude"],
        ),
    },
    "types": {
        "word for a number": ("algo.gamma=abc", "algo.gamma", "abc", ["number", "from 0 to 1"]),
        "nothing for a number": ("algo.alpha=", "algo.alpha", "''", ["number"]),
        "exponent for a whole number": ("train.epochs=1e3", "train.epochs", "1e3", ["a whole number", "1000"]),
        "fraction for a whole number": ("train.batch_size=1.5", "train.batch_size", "1.5", ["a whole number"]),
        "null for a whole number": ("train.save_freq=null", "train.save_freq", "null", ["a whole number"]),
        "word for a seed": ("seed=abc", "seed", "abc", ["a whole number"]),
        "word for a flag": ("network.normalise_actions=maybe", "network.normalise_actions", "maybe", ["true", "false"]),
        "word for tags": ("wandb.tags=x", "wandb.tags", "x", ["list"]),
        "words for sizes": ("network.hidden_sizes.actor=[a]", "network.hidden_sizes.actor", "[a]", ["whole number"]),
    },
    "ranges": {
        "no epochs": ("train.epochs=0", "train.epochs", "0", ["at least 1"]),
        "gamma above 1": ("algo.gamma=2", "algo.gamma", "2", ["from 0 to 1"]),
        "labda above 1": ("algo.labda=2", "algo.labda", "2", ["from 0 to 1"]),
        "negative alpha3": ("algo.alpha3=-0.1", "algo.alpha3", "-0.1", ["at least 0"]),
        "nan": ("algo.polyak=nan", "algo.polyak", "nan", ["from 0 to 1"]),
        "infinite rate": ("algo.lr_a=inf", "algo.lr_a", "inf", ["finite"]),
        "negative final rate": ("lr_schedule.lr_c_final=-1e-9", "lr_schedule.lr_c_final", "-1e-09", ["at least 0"]),
        "negative seed": ("seed=-1", "seed", "-1", ["whole number", "2147483647"]),
        "negative termination cost": ("env.termination_cost=-1", "env.termination_cost", "-1", ["at least 0"]),
        "no threads": ("device.threads=0", "device.threads", "0", ["at least 1"]),
    },
    "words": {
        "misspelt opt_type": ("algo.opt_type=maximise", "algo.opt_type", "maximise", ["Did you mean 'maximize'"]),
        "misspelt loss": ("algo.critic_loss=relativ", "algo.critic_loss", "relativ", ["Did you mean 'relative'"]),
        "misspelt decay": (
            "lr_schedule.decay_type=liner",
            "lr_schedule.decay_type",
            "liner",
            ["Did you mean 'linear'"],
        ),
        "misspelt reference": (
            "lr_schedule.decay_ref=epochs",
            "lr_schedule.decay_ref",
            "epochs",
            ["Did you mean 'epoch'"],
        ),
        "unknown decay": ("lr_schedule.lr_a_decay_type=cosine", "lr_schedule.lr_a_decay_type", "cosine", LR_WORDS),
        "misspelt absorbing": (
            "env.termination_cost=absorbng",
            "env.termination_cost",
            "absorbng",
            ["Did you mean 'absorbing'", "number"],
        ),
        "misspelt wandb mode": ("wandb.mode=onlin", "wandb.mode", "onlin", ["Did you mean 'online'", "disabled"]),
    },
    "networks": {
        "no actor": ("network.hidden_sizes.actor=[]", "network.hidden_sizes.actor", "[]", ["at least one"]),
        "empty layer": ("network.hidden_sizes.critic=[64,0]", "network.hidden_sizes.critic", "[64, 0]", ["above 0"]),
        "misspelt activation": (
            "network.activation.actor=rellu",
            "network.activation.actor",
            "rellu",
            ["Did you mean 'relu'"],
        ),
        "capital activation": (
            "network.output_activation.actor=Tanh",
            "network.output_activation.actor",
            "Tanh",
            ["Did you mean 'tanh'"],
        ),
        "negative scale": ("network.observation_scale=-1", "network.observation_scale", "-1", ["above 0"]),
    },
}

# The same for what can be told only of an environment that is built.
WRONG_FOR_THE_ENVIRONMENT = {
    "discrete actions": ("env=gym env.id=CartPole-v1", "env.id", "CartPole-v1", ["Discrete", "continuous"]),
    "reward without a bound": ("algo.opt_type=maximize", "algo.opt_type", "maximize", ["env.reward_max"]),
    "time limit too long": ("train.max_ep_len=1000", "train.max_ep_len", "1000", ["400", "env.max_episode_steps"]),
    "scales that do not fit": ("network.observation_scale=[1,2]", "network.observation_scale", "2", ["8"]),
    "magnitudes that do not fit": (
        "disturbance=impulse disturbance.magnitude=[1,2]",
        "disturbance.magnitude",
        "2",
        ["3"],
    ),
    "misspelt attribute": (
        "disturbance=parameters disturbance.values.bta=1",
        "disturbance.values.bta",
        "",
        ["Did you mean 'beta'"],
    ),
    "impulse after the end": ("disturbance=impulse disturbance.at_step=400", "disturbance.at_step", "400", ["399"]),
    "impulse after a shorter end": (
        "disturbance=impulse train.max_ep_len=200",
        "disturbance.at_step",
        "200",
        ["train.max_ep_len=200"],
    ),
    "reference of an environment without": (
        "disturbance=reference disturbance.constant=8 env=gym env.id=Pendulum-v1 algo.opt_type=maximize",
        "disturbance.constant",
        "",
        ["Pendulum-v1", "reference_offset"],
    ),
}
