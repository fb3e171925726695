"""The environments that ``import lac`` registers with Gymnasium."""

import gymnasium

# id: (entry point, time limit in steps)
ENVIRONMENTS = {
    "lac/Oscillator-v1": ("lac.envs.oscillator:Oscillator", 400),
    "lac/OscillatorComplicated-v1": ("lac.envs.oscillator:OscillatorComplicated", 400),
    "lac/CartPoleCost-v1": ("lac.envs.cart_pole:CartPoleCost", 250),
    "lac/CartPoleTrackingCost-v1": ("lac.envs.cart_pole:CartPoleTrackingCost", 250),
    "lac/Ex3EKF-v1": ("lac.envs.ex3_ekf:Ex3EKF", 400),
    "lac/VanDerPol-v1": ("lac.envs.stabilisation:VanDerPol", 1000),
    "lac/PendulumStabilise-v1": ("lac.envs.stabilisation:PendulumStabilise", 1000),
    "lac/DuctedFan-v1": ("lac.envs.stabilisation:DuctedFan", 1000),
    "lac/TwoLink-v1": ("lac.envs.stabilisation:TwoLink", 1000),
    "lac/SingleTrackCar-v1": ("lac.envs.single_track_car:SingleTrackCar", 1000),
    "lac/QuadrotorTracking-v1": ("lac.envs.quadrotor:QuadrotorTracking", 1000),
    "lac/SwimmerCost-v1": ("lac.envs.mujoco:SwimmerCost", 250),
    "lac/HalfCheetahCost-v1": ("lac.envs.mujoco:HalfCheetahCost", 200),
    "lac/HopperCost-v1": ("lac.envs.mujoco:HopperCost", 250),
    "lac/Walker2dCost-v1": ("lac.envs.mujoco:Walker2dCost", 250),
    "lac/AntCost-v1": ("lac.envs.mujoco:AntCost", 250),
    "lac/HumanoidCost-v1": ("lac.envs.mujoco:HumanoidCost", 250),
    "lac/FetchReachCost-v1": ("lac.envs.fetch:FetchReachCost", 50),
}


def register_environments() -> None:
    """Register them; nothing is imported before one is made."""
    for env_id, (entry_point, max_episode_steps) in ENVIRONMENTS.items():
        gymnasium.register(env_id, entry_point, max_episode_steps=max_episode_steps)
