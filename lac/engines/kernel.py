"""The updates of LAC, LATC and SAC, compiled; ``lac/agents`` has the same steps in torch.

Equations are those of Han et al. (2020), or of Haarnoja et al. (2018) where this is said; ``d_x`` is the gradient of a
loss by x, derived by hand. Rows of a matrix are features, its columns transitions. No fastmath: bits are repeatable.

All functions get a ``Form``. ``settings`` is a record. ``actor`` and ``critic`` have a row ``[inputs, outputs, weights
at, biases at, activation]`` for each layer; the actor's last gives mu and log std. Rows of ``memory`` are vectors
``[actor | critics | log alpha, log labda]``: parameters, gradient, both moments of Adam, target. Critics and
multipliers lie at ``starts``; ``steps`` counts those of both optimisers. ``scaling`` has centre and inverse width of
inputs, ``box`` half-width and centre of actions. ``inputs`` has a row for actor and critics, ``outputs`` for each net.
"""

import math
from collections import namedtuple

import numpy as np

from lac.engines.blas import product
from lac.engines.elementary import HALF, LOG_2, ONE, TWO, ZERO, exponential, f32, log_of_one_and, part, tanh

INPUTS, OUTPUTS, WEIGHTS, BIASES, ACTIVATION = range(5)
PARAMETERS, GRADIENT, FIRST, SECOND, TARGET = range(5)
RELU, TANH, ELU = 1, 2, 3
BEFORE, AFTER, ACTOR, CRITIC, LOG_ALPHA, LOG_LABDA = 1, 2, 0, 1, -2, -1
Form = namedtuple("Form", "settings actor critic starts memory steps scaling box inputs outputs spare")
Policy = namedtuple("Policy", "inputs heads squashed deviation actions logp")
TINY = f32(1e-30)
BETA1, BETA2, EPSILON, NEW1, OLD2, NEW2 = 0.9, 0.999, 1e-8, f32(0.1), f32(0.999), f32(0.001)
LOG_STD_MIN, LOG_STD_MAX, HALF_LOG_2PI = f32(-20.0), f32(2.0), f32(0.5 * math.log(2.0 * math.pi))


def lyapunov_update(a, obs, act, obs_next, cost, done, sums, noise):
    """One update of LAC or LATC; returns its diagnostics. ``sums`` are those of the finite horizon, or empty."""
    obs, act, obs_next, batch, s = obs.T, act.T, obs_next.T, len(obs), a.settings[0]
    log_alpha, log_labda = a.memory[PARAMETERS, LOG_ALPHA], a.memory[PARAMETERS, LOG_LABDA]
    alpha, labda = math.exp(log_alpha), np.minimum(math.exp(log_labda), ONE)
    # Target: eq. 9, summed by the buffer, or eq. 8.
    target = sums.copy()
    if len(sums) == 0:
        act_next = policy(a, TARGET, obs_next, noise[:batch]).actions
        l_next = values(a, TARGET, joined(a, CRITIC, obs_next, act_next))
        target = cost + s.gamma * (ONE - done) * np.maximum(l_next[0], l_next[-1])  # of one or two critics
    # Critics: eq. 7. A step moves the targets, too.
    critic_loss, l = critic_gradient(a, joined(a, CRITIC, obs, act), target)  # noqa: E741
    if s.drift != BEFORE:
        step_critics(a)
    drift = values(a, PARAMETERS, joined(a, CRITIC, obs, act)) if s.drift == AFTER else l
    l_now = np.maximum(drift[0], drift[-1]) if s.symmetric else drift[0]
    # Actor: eqs. 11 and 12. Actions at s' lower L, actions at s raise the entropy.
    p = policy(a, PARAMETERS, obs_next, noise[-batch:])
    l_new, d_actions = action_gradient(a, obs_next, p.actions, labda / batch)
    actor_gradient(a, p, d_actions, np.zeros(batch, f32), ZERO)
    p = policy(a, PARAMETERS, obs, noise[-2 * batch : -batch])
    actor_gradient(a, p, np.zeros_like(p.actions), np.full(batch, f32(alpha / batch)), ONE)
    decrease, logp = (l_new - l_now + s.alpha3 * cost).mean(), p.logp.mean()
    # Multipliers: eq. 17 of Haarnoja, and the text below eq. 14. A loss of log alpha equals its derivative.
    alpha_loss, labda_loss = -alpha * (logp + s.target_entropy), -log_labda * decrease
    step_policy(a, alpha_loss, -decrease)
    if s.drift == BEFORE:
        step_critics(a)
    loss = labda * decrease + alpha * logp
    return np.array([critic_loss, loss, alpha_loss, labda_loss, decrease, l[0].mean(), -logp], f32)


def soft_update(a, obs, act, obs_next, cost, done, noise):
    """One update of SAC; returns its diagnostics. Equations are those of Haarnoja."""
    obs, act, obs_next, batch, s = obs.T, act.T, obs_next.T, len(obs), a.settings[0]
    alpha = math.exp(a.memory[PARAMETERS, LOG_ALPHA])
    # Target: eq. 3.
    p = policy(a, PARAMETERS, obs_next, noise[:batch])
    q_next = values(a, TARGET, joined(a, CRITIC, obs_next, p.actions))
    target = cost + s.gamma * (ONE - done) * (np.maximum(q_next[0], q_next[-1]) + alpha * p.logp)
    # Critics: eq. 5. A step moves the targets, too.
    critic_loss, q = critic_gradient(a, joined(a, CRITIC, obs, act), target)
    step_critics(a)
    # Actor: eq. 7.
    p = policy(a, PARAMETERS, obs, noise[batch:])
    q_new, d_actions = action_gradient(a, obs, p.actions, ONE / batch)
    actor_gradient(a, p, d_actions, np.full(batch, f32(alpha / batch)), ZERO)
    logp = p.logp.mean()
    alpha_loss = -alpha * (logp + s.target_entropy)  # eq. 17
    step_policy(a, alpha_loss, ZERO)
    return np.array([critic_loss, q_new.mean() + alpha * logp, alpha_loss, q[0].mean(), -logp], f32)


def actions(a, obs, noise):
    """Actions in their box ``[B, act_dim]``: samples with noise, means with zeros."""
    return policy(a, PARAMETERS, obs.T, noise).actions.T


@part
def policy(a, which, obs, noise):
    """Samples of the policy and their log-probabilities, which are those before the scaling to the box."""
    (batch, n), x = noise.shape, joined(a, ACTOR, obs, obs[:0])
    heads, eps = forward(a.actor, a.memory[which], x, a.outputs[0]), np.ascontiguousarray(noise.T).reshape(-1)
    mu, log_stds, act = heads[:n].reshape(-1), heads[n:].reshape(-1), np.empty((n, batch), f32)
    squashed, deviation, nats, logp = np.empty_like(mu), np.empty_like(mu), np.empty_like(mu), np.zeros(batch, f32)
    for i in range(noise.size):
        log_std = min(max(log_stds[i], LOG_STD_MIN), LOG_STD_MAX)  # NaN stays
        scale, e = exponential(log_std)
        deviation[i] = (scale + scale * e) * eps[i]
        z = mu[i] + deviation[i]
        scale, e = exponential(-TWO * abs(z))
        q = scale + scale * e
        squashed[i] = math.copysign((ONE - q) / (ONE + q), z)
        # log(1 - tanh(z)^2) = 2 (log 2 - |z| - log(1 + exp(-2 |z|)))
        nats[i] = HALF * eps[i] * eps[i] + log_std + HALF_LOG_2PI + TWO * (LOG_2 - abs(z) - log_of_one_and(q))
    for j in range(n):
        for i in range(batch):
            logp[i] -= nats[j * batch + i]
            act[j, i] = a.box[1, j] + squashed[j * batch + i] * a.box[0, j]
    return Policy(x, heads, rows(squashed, 0, n, batch), rows(deviation, 0, n, batch), act, logp)


@part
def actor_gradient(a, p, d_actions, d_logp, kept):
    """The gradient by the actor's parameters, given those by actions and log-probabilities, added to a part kept."""
    (n, batch), d_heads = p.actions.shape, rows(a.spare[0], 0, *p.heads.shape)
    for j in range(n):
        for i in range(batch):
            # d log(1 - tanh(z)^2) / dz = -2 tanh(z); the Gaussian's density at its sample depends on log std alone.
            t, is_inside = p.squashed[j, i], LOG_STD_MIN <= p.heads[n + j, i] <= LOG_STD_MAX
            d_heads[j, i] = d_z = d_actions[j, i] * a.box[0, j] * (ONE - t * t) + TWO * d_logp[i] * t
            d_heads[n + j, i] = d_z * p.deviation[j, i] - d_logp[i] if is_inside else ZERO
    backward(a.actor, a.memory[PARAMETERS], a.memory[GRADIENT], p.inputs, a.outputs[0], a.spare, kept)
    if not a.settings[0].actor_bias:  # those of the log std remain
        for k in range(len(a.actor)):
            bias = layer(a.actor, k, a.memory[GRADIENT])[1]
            bias[: n if k == len(a.actor) - 1 else len(bias)] = ZERO


@part
def values(a, which, x):
    """The values of all critics ``[critics, B]``."""
    result = np.zeros((len(a.outputs) - 1, x.shape[1]), f32)
    for c in range(len(result)):
        y = forward(a.critic, a.memory[which, a.starts[c] :], x, a.outputs[1 + c])
        for j in range(y.shape[0]):
            for i in range(y.shape[1]):
                result[c, i] += y[j, i] * y[j, i] if a.settings[0].quadratic else y[j, i]
    return result


@part
def critic_gradient(a, x, target):
    """The value of eq. 7 and those of all critics, and its gradient by the critics' parameters."""
    loss, of_critics = ZERO, values(a, PARAMETERS, x)
    for c in range(len(of_critics)):
        error = of_critics[c] - target
        weighted = error / (ONE + target) if a.settings[0].relative else error
        loss += HALF * (weighted * error).mean()
        critic_backward(a, c, weighted / f32(len(error)), x, a.memory[GRADIENT, a.starts[c] :])
    return loss, of_critics


@part
def action_gradient(a, obs, act, factor):
    """The largest values, and the gradient of ``factor`` times their sum by the actions."""
    x, n = joined(a, CRITIC, obs, act), len(obs)
    of_critics = values(a, PARAMETERS, x)
    largest, d_act = np.maximum(of_critics[0], of_critics[-1]), np.zeros_like(act)
    for c in range(len(of_critics)):  # critics with the same value share the gradient, as in torch
        is_largest, is_shared = of_critics[c] == largest, of_critics[0] == of_critics[-1]
        d_value = np.where(is_largest, f32(factor) / np.where(is_shared, f32(len(of_critics)), ONE), ZERO)
        d_x = critic_backward(a, c, d_value, x, a.spare[0, :0])
        for j in range(len(act)):
            d_act[j] += d_x[n + j] * a.scaling[1, n + j]
    return largest, d_act


@part
def critic_backward(a, c, d_value, x, gradient):
    """From the gradient by a critic's values to that by its parameters, or if none are wanted by its inputs."""
    batch, n, start = len(d_value), a.critic[-1, OUTPUTS], a.starts[c]
    y, d_y = rows(a.outputs[1 + c], batch * (a.critic[:, OUTPUTS].sum() - n), n, batch), rows(a.spare[0], 0, n, batch)
    for j in range(n):
        for i in range(batch):
            d_y[j, i] = TWO * d_value[i] * y[j, i] if a.settings[0].quadratic else d_value[i]
    return backward(a.critic, a.memory[PARAMETERS, start:], gradient, x, a.outputs[1 + c], a.spare, ZERO)


@part
def rows(space, at, n, width):
    """A matrix at a place of a vector."""
    return space[at : at + n * width].reshape(n, width)


@part
def layer(net, k, vector):
    """Weights and biases of a layer."""
    at, n = net[k, BIASES], net[k, OUTPUTS]
    return rows(vector, net[k, WEIGHTS], n, net[k, INPUTS]), vector[at : at + n]


@part
def joined(a, place, obs, act):
    """Scaled observations, and actions below them, in the place for inputs of actor or critics."""
    (n, batch), x = obs.shape, rows(a.inputs[place], 0, len(obs) + len(act), obs.shape[1])
    for j in range(len(x)):
        for i in range(batch):
            x[j, i] = ((obs[j, i] if j < n else act[j - n, i]) - a.scaling[0, j]) * a.scaling[1, j]
    return x


@part
def forward(net, vector, x, outputs):
    """The outputs of the last layer ``[n, B]``; those of all layers lie one after the other."""
    at = 0
    for k in range(len(net)):
        (weight, bias), kind = layer(net, k, vector), net[k, ACTIVATION]
        y = rows(outputs, at, len(bias), x.shape[1])
        product(weight, x, y, ZERO)
        for j in range(y.shape[0]):
            for i in range(y.shape[1]):
                y[j, i] += bias[j]
        activate(kind, outputs[at : at + y.size])
        at, x = at + y.size, y
    return x


@part
def backward(net, vector, gradient, x, outputs, spare, kept):
    """The same from the gradient by the last outputs, which is spent; that by the parameters adds to a part kept."""
    batch, d_y, d_x = x.shape[1], spare[0], spare[1]
    at, ones = batch * net[:, OUTPUTS].sum(), np.ones((batch, 1), f32)
    for k in range(len(net) - 1, -1, -1):
        n_in, n_out, kind = net[k, INPUTS], net[k, OUTPUTS], net[k, ACTIVATION]
        at -= batch * n_out
        y, d_sums = rows(outputs, at, n_out, batch), rows(d_y, 0, n_out, batch)
        times_slope(kind, outputs[at : at + y.size], d_sums.reshape(-1))
        if len(gradient) > 0:
            d_weight, d_bias = layer(net, k, gradient)
            product(d_sums, (rows(outputs, at - batch * n_in, n_in, batch) if k > 0 else x).T, d_weight, kept)
            product(d_sums, ones, d_bias.reshape(n_out, 1), kept)
        if k > 0 or len(gradient) == 0:
            product(layer(net, k, vector)[0].T, d_sums, rows(d_x, 0, n_in, batch), ZERO)
            d_y, d_x = d_x, d_y
    return rows(d_y, 0, net[0, INPUTS], batch)


@part
def activate(kind, y):
    """Replace sums by the outputs of an activation; NaN stays."""
    if kind == RELU:
        for i in range(len(y)):
            y[i] = ZERO if y[i] < ZERO else y[i]
    elif kind == TANH:
        for i in range(len(y)):
            y[i] = tanh(y[i])
    elif kind == ELU:
        for i in range(len(y)):
            scale, e = exponential(min(y[i], ZERO))
            y[i] = max(y[i], ZERO) + ((scale - ONE) + scale * e)


@part
def times_slope(kind, y, d_y):
    """Multiply the gradient by outputs of an activation by its slope there, to that by its sums."""
    if kind == RELU:
        for i in range(len(y)):
            d_y[i] = ZERO if y[i] <= ZERO else d_y[i]
    elif kind == TANH:
        for i in range(len(y)):
            d_y[i] *= ONE - y[i] * y[i]
    elif kind == ELU:
        for i in range(len(y)):
            d_y[i] *= min(y[i], ZERO) + ONE


@part
def step_critics(a):
    """One step for the critics and their targets."""
    a.steps[0] += ONE
    adam(a, a.starts[0], a.starts[-1], a.settings[0].lr_c, a.steps[0])


@part
def step_policy(a, d_log_alpha, d_log_labda):
    """One step for actor, its target, temperature and multiplier, which stays in its bounds."""
    s, end = a.settings[0], a.starts[-1]
    a.memory[GRADIENT, LOG_ALPHA], a.memory[GRADIENT, LOG_LABDA] = d_log_alpha, d_log_labda
    a.steps[1] += ONE
    adam(a, 0, a.starts[0], s.lr_a, a.steps[1])
    adam(a, end, end + 1, s.lr_alpha, a.steps[1])
    adam(a, end + 1, end + 2, s.lr_labda, a.steps[1])
    a.memory[PARAMETERS, LOG_LABDA] = min(max(a.memory[PARAMETERS, LOG_LABDA], s.log_labda_low), s.log_labda_high)


@part
def adam(a, start, stop, rate, steps):
    """Kingma and Ba (2015), algorithm 1, on a part of the parameters, and the moving average of their targets."""
    p, g, m, v = a.memory[0, start:stop], a.memory[1, start:stop], a.memory[2, start:stop], a.memory[3, start:stop]
    target, new = a.memory[TARGET, start:stop], ONE - a.settings[0].polyak
    root = math.sqrt(1.0 - BETA2**steps)
    length, epsilon = f32(rate * root / (1.0 - BETA1**steps)), f32(EPSILON * root)
    for i in range(len(p)):
        first = m[i] + NEW1 * (g[i] - m[i])
        m[i] = ZERO if abs(first) < TINY else first  # processors are slow with the smallest numbers
        v[i] = OLD2 * v[i] + NEW2 * g[i] * g[i]
        p[i] -= length * m[i] / (np.sqrt(v[i]) + epsilon)
        target[i] += new * (p[i] - target[i])
