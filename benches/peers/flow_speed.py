#!/usr/bin/env python3
"""How fast a flow of a Python library trains, scores and samples: one configuration a process, one JSON line out.

    python flow_speed.py --lib zuko --model maf --dim 43 --layers 5 --hidden 256 --blocks 2 --batch 512 --threads 1

The line has the keys of our own program `flow_speed` (benches/src/bin/flow_speed.rs). Both measure the same way:
float32, Adam at 1e-3 on the mean negative log-likelihood, the steady state after a warm-up and any compilation, rows per
CPU second of the process over all of the measured time, which is counted in CPU seconds a thread, so that a busy machine
makes a run longer and not less exact. `nll_last` is the mean of the last 100 losses, or of the 100
before step N with `--steps N`. Rows come from `--data FILE` (little-endian float32, as our program `mixture` writes
them), else from a mixture of the same kind drawn here.

Each library gets its fastest setting that still does the same work:

* torch: as many threads as asked for, fused Adam, no_grad in evaluation, losses read at the end only.
* flowjax: one compiled step, its own (`flowjax.train.train_utils.step`, which `fit_to_data` calls); log_prob and
  sample compiled; XLA sizes its pool by the cores the process may use, so it may use as many as there are threads.
* log_prob and sample run on 1,000 and on 10,000 rows a call; the faster counts (`logprob_n`, `sample_n`).

`--blocks N` is N hidden layers of `--hidden` units with ReLU in every network, without residual connections. The
libraries' models are alike but not the same:

* zuko: MAF, NSF, RealNVP as its classes build them (autoregressive order reversed from layer to layer, checkered
  coupling masks); the spline coupling flow is its GeneralCouplingTransform with the rational-quadratic univariate.
  Log-scales are soft-clipped. The spline's box is [-5, 5]. No planar flow.
* nflows: its MADE has no activation after its first layer, so N hidden layers are `num_blocks` N - 1 and one ReLU
  fewer. Scale: sigmoid(s + 2) + 1e-3. Reverse permutations between autoregressive layers, alternating masks in
  coupling layers. No planar flow.
* normflows: its MaskedAffineAutoregressive maps latent to data in one pass (an IAF), so it runs inside `Reverse`. Its
  splines are the classes below the wrappers, which would force residual networks. Planar is the leaky-ReLU one: the
  tanh one has no inverse there and so no density of data.
* flowjax: random permutations between layers, one compiled loop over layers, softplus scale. Its spline of K knots has
  K + 1 bins; `--knots` sets K, by default the number of bins, so one bin more than the others. Planar has slope 0.2.
"""

import argparse
import json
import os
import resource
import time

ROWS = 50_000
LIBRARIES = {"zuko": "torch", "nflows": "torch", "normflows": "torch", "flowjax": "jax"}


def skip(args):
    raise SystemExit(f"skip: {args.lib} has no {args.model}")


# ------------------------------------------------------------------------------------------------ rows


def mixture(rows, dim, seed=0):
    """A mixture of five correlated normals, each column with mean 0 and variance 1."""
    import numpy as np

    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(5, dim, dim)) / np.sqrt(dim)
    mean = 2.0 * rng.normal(size=(5, dim))
    part = rng.integers(0, 5, rows)
    x = np.einsum("rij,rj->ri", mix[part], rng.normal(size=(rows, dim))) + mean[part]
    return ((x - x.mean(0)) / x.std(0)).astype(np.float32)


def load(args):
    import numpy as np

    if args.data is None:
        return mixture(ROWS, args.dim)
    return np.fromfile(args.data, dtype="<f4").reshape(-1, args.dim)


def batches(x, size, seed=1):
    """Mini-batches without end, each epoch in an order of its own."""
    import numpy as np

    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(x))
        for start in range(0, len(x) - size + 1, size):
            yield x[order[start : start + size]]


# ---------------------------------------------------------------------------------------------- models


def zuko_flow(args):
    from functools import partial

    import torch
    import zuko
    from zuko.flows.coupling import GeneralCouplingTransform

    net = dict(hidden_features=[args.hidden] * args.blocks)
    if args.model == "maf":
        flow = zuko.flows.MAF(args.dim, transforms=args.layers, **net)
    elif args.model == "nsf-ar":
        flow = zuko.flows.NSF(args.dim, bins=args.bins, transforms=args.layers, **net)
    elif args.model == "realnvp":
        flow = zuko.flows.RealNVP(args.dim, transforms=args.layers, **net)
    elif args.model == "nsf-coupling":
        spline = dict(
            univariate=partial(zuko.transforms.MonotonicRQSTransform, slope=1e-3),
            shapes=[(args.bins,), (args.bins,), (args.bins - 1,)],
        )
        column = torch.arange(args.dim)
        layers = [GeneralCouplingTransform(args.dim, mask=(column + i) % 2 == 0, **spline, **net) for i in range(args.layers)]
        base = zuko.lazy.UnconditionalDistribution(
            zuko.distributions.DiagNormal, torch.zeros(args.dim), torch.ones(args.dim), buffer=True
        )
        flow = zuko.lazy.Flow(layers, base)
    else:
        skip(args)
    return flow, lambda x: flow().log_prob(x), lambda n: flow().sample((n,))


def nflows_flow(args):
    import torch
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.nn.nets import MLP
    from nflows.transforms import autoregressive, base, coupling, permutations
    from nflows.utils.torchutils import create_alternating_binary_mask

    class Net(MLP):
        def forward(self, inputs, context=None):  # coupling layers hand over a context
            return super().forward(inputs)

    def net(inputs, outputs):
        return Net((inputs,), (outputs,), [args.hidden] * args.blocks, activation=torch.nn.functional.relu)

    made = dict(num_blocks=args.blocks - 1, use_residual_blocks=False)
    spline = dict(num_bins=args.bins, tails="linear", tail_bound=5.0)
    parts = []
    for layer in range(args.layers):
        mask = create_alternating_binary_mask(args.dim, even=layer % 2 == 0)
        if args.model == "maf":
            part = autoregressive.MaskedAffineAutoregressiveTransform(args.dim, args.hidden, **made)
        elif args.model == "nsf-ar":
            part = autoregressive.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                args.dim, args.hidden, **spline, **made
            )
        elif args.model == "realnvp":
            part = coupling.AffineCouplingTransform(mask, net)
        elif args.model == "nsf-coupling":
            part = coupling.PiecewiseRationalQuadraticCouplingTransform(mask, net, **spline)
        else:
            skip(args)
        if args.model in ("maf", "nsf-ar") and layer > 0:
            parts.append(permutations.ReversePermutation(args.dim))
        parts.append(part)
    flow = Flow(base.CompositeTransform(parts), StandardNormal([args.dim]))
    return flow, flow.log_prob, flow.sample


def normflows_flow(args):
    import normflows as nf
    import torch
    from normflows.flows.neural_spline.autoregressive import MaskedPiecewiseRationalQuadraticAutoregressive
    from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling
    from normflows.utils.masks import create_alternating_binary_mask

    class Net(nf.nets.MLP):
        def forward(self, x, context=None):  # coupling layers hand over a context
            return super().forward(x)

    class Swapped(nf.flows.Flow):
        """The two directions of a spline swapped, as the library's wrappers do."""

        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, z):
            z, log_det = self.inner.inverse(z)
            return z, log_det.view(-1)

        def inverse(self, z):
            z, log_det = self.inner(z)
            return z, log_det.view(-1)

    def net(inputs, outputs):
        return Net([inputs] + [args.hidden] * args.blocks + [outputs])

    made = dict(num_blocks=args.blocks - 1, use_residual_blocks=False)
    spline = dict(num_bins=args.bins, tails="linear", tail_bound=5.0)
    kept = args.dim - args.dim // 2
    swap = args.model in ("maf", "nsf-ar", "realnvp")
    parts = []
    for layer in range(args.layers):
        if args.model == "maf":
            part = nf.flows.Reverse(nf.flows.MaskedAffineAutoregressive(args.dim, args.hidden, **made))
        elif args.model == "nsf-ar":
            part = Swapped(
                MaskedPiecewiseRationalQuadraticAutoregressive(
                    args.dim, args.hidden, activation=torch.nn.functional.relu, **spline, **made
                )
            )
        elif args.model == "realnvp":
            widths = [kept] + [args.hidden] * args.blocks + [2 * (args.dim - kept)]
            part = nf.flows.AffineCouplingBlock(nf.nets.MLP(widths, init_zeros=True))
        elif args.model == "nsf-coupling":
            mask = create_alternating_binary_mask(args.dim, even=layer % 2 == 0)
            part = Swapped(PiecewiseRationalQuadraticCoupling(mask, net, apply_unconditional_transform=False, **spline))
        elif args.model == "planar":
            part = nf.flows.Planar((args.dim,), act="leaky_relu")
        else:
            skip(args)
        parts.append(part)
        if swap:
            parts.append(nf.flows.Permute(args.dim, mode="swap"))
    flow = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(args.dim, trainable=False), parts)
    return flow, flow.log_prob, lambda n: flow.sample(n)[0]


def flowjax_flow(args):
    import jax.numpy as jnp
    import jax.random as jr
    from flowjax import bijections, distributions, flows

    base = dict(base_dist=distributions.Normal(jnp.zeros(args.dim)), flow_layers=args.layers)
    net = dict(nn_width=args.hidden, nn_depth=args.blocks)
    knots = args.bins if args.knots is None else args.knots
    spline = dict(transformer=bijections.RationalQuadraticSpline(knots=knots, interval=5))
    build = {
        "maf": lambda key: flows.masked_autoregressive_flow(key, **base, **net),
        "nsf-ar": lambda key: flows.masked_autoregressive_flow(key, **base, **net, **spline),
        "realnvp": lambda key: flows.coupling_flow(key, **base, **net),
        "nsf-coupling": lambda key: flows.coupling_flow(key, **base, **net, **spline),
        "planar": lambda key: flows.planar_flow(key, **base, negative_slope=0.2),
    }
    return build[args.model](jr.key(0))


# ------------------------------------------------------------------------------------------- the two backends


class Torch:
    """One optimizer step, scoring and sampling with torch."""

    def __init__(self, args, x):
        import torch

        torch.set_num_threads(args.threads)
        torch.manual_seed(0)
        build = {"zuko": zuko_flow, "nflows": nflows_flow, "normflows": normflows_flow}[args.lib]
        self.torch = torch
        self.flow, self.log_prob_of, self.sample_of = build(args)
        self.params = sum(p.numel() for p in self.flow.parameters())
        self.optimizer = torch.optim.Adam(self.flow.parameters(), lr=args.lr, fused=True)
        self.x = torch.from_numpy(x)
        self.batches = batches(x, args.batch)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = -self.log_prob_of(self.torch.from_numpy(next(self.batches))).mean()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def trained(self):
        self.flow.eval()

    def log_prob(self, n):
        with self.torch.no_grad():
            return float(self.log_prob_of(self.x[:n]).sum())

    def sample(self, n):
        with self.torch.no_grad():
            return float(self.sample_of(n).sum())


class Jax:
    """The same with jax."""

    def __init__(self, args, x):
        import equinox as eqx
        import jax
        import jax.numpy as jnp
        import jax.random as jr
        import optax
        import paramax
        from flowjax.train.losses import MaximumLikelihoodLoss
        from flowjax.train.train_utils import step

        self.eqx, self.paramax, self.split, self.key = eqx, paramax, jr.split, jr.key(1)
        frozen = lambda leaf: isinstance(leaf, paramax.NonTrainable)
        self.weights, self.static = eqx.partition(flowjax_flow(args), eqx.is_inexact_array, is_leaf=frozen)
        self.params = int(sum(p.size for p in jax.tree_util.tree_leaves(self.weights)))
        optimizer = optax.adam(args.lr)
        self.state = optimizer.init(self.weights)
        settings = dict(optimizer=optimizer, loss_fn=MaximumLikelihoodLoss(), key=self.key)
        self.one_step = lambda weights, state, rows: step(weights, self.static, rows, opt_state=state, **settings)
        self.x, self.array = jnp.asarray(x), jnp.asarray
        self.batches = batches(x, args.batch)

    def step(self):
        rows = self.array(next(self.batches))
        self.weights, self.state, loss = self.one_step(self.weights, self.state, rows)
        return loss

    def trained(self):
        self.flow = self.paramax.unwrap(self.eqx.combine(self.weights, self.static))
        self.log_prob_of = self.eqx.filter_jit(lambda flow, x: flow.log_prob(x).sum())
        self.sample_of = self.eqx.filter_jit(lambda flow, key, n: flow.sample(key, (n,)).sum())

    def log_prob(self, n):
        return float(self.log_prob_of(self.flow, self.x[:n]))

    def sample(self, n):
        self.key, key = self.split(self.key)
        return float(self.sample_of(self.flow, key, n))


# ------------------------------------------------------------------------------------------------- measuring


def process_age():
    """Seconds since this process began, the interpreter's start included."""
    with open("/proc/self/stat") as file:
        started = int(file.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime") as file:
        return float(file.read().split()[0]) - started / os.sysconf("SC_CLK_TCK")


def train(peer, args):
    """Steps until both `--train-seconds` have been measured and `--steps` are done."""
    losses = [peer.step()]
    first = float(losses[0])
    first_step = {"first_step_s": round(process_age(), 2), "first_step_cpu_s": round(time.process_time(), 2)}
    warm = time.process_time() + args.warm * args.threads
    while time.process_time() < warm:
        losses.append(peer.step())
        float(losses[-1])
    skipped, cpu, wall = len(losses), time.process_time(), time.perf_counter()
    while time.process_time() - cpu < args.train_seconds * args.threads or len(losses) < args.steps:
        # A result is waited for every eighth step only: training need not read each loss.
        losses += [peer.step() for _ in range(8)]
        float(losses[-1])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    rows = (len(losses) - skipped) * args.batch
    end = args.steps or len(losses)
    last = [float(loss) for loss in losses[max(end - 100, 0) : end]]
    return {
        "train_rows_s": round(rows / wall, 1),
        "train_rows_cpu_s": round(rows / cpu, 1),
        "train_steps": len(losses),
        "nll_first": first,
        "nll_last": sum(last) / len(last),
        "nll_steps": end,
        **first_step,
    }


def rate(name, work, seconds):
    """Rows per CPU second of `work(n)`, the better of two sizes; the larger is left out where a call takes too long."""
    best, size = 0.0, None
    for n in (1_000, 10_000):
        if size and n / best > 4 * seconds:
            break
        work(n)
        calls, cpu, spent = 0, time.process_time(), 0.0
        while spent < seconds:
            work(n)
            calls += 1
            spent = time.process_time() - cpu
        per_cpu = calls * n / spent
        if per_cpu > best:
            best, size = per_cpu, n
    return {f"{name}_rows_cpu_s": round(best, 1), f"{name}_n": size}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", required=True, choices=LIBRARIES)
    parser.add_argument("--model", required=True, choices=["maf", "realnvp", "nsf-ar", "nsf-coupling", "planar"])
    for name in ("dim", "layers", "batch"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--bins", type=int, default=8)
    parser.add_argument("--knots", type=int, help="flowjax: inner knots of a spline, one fewer than its bins")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--train-seconds", type=float, default=8.0)
    parser.add_argument("--warm", type=float, default=1.0)
    parser.add_argument("--eval-seconds", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=0, help="take nll_last at this step, and train at least so long")
    parser.add_argument("--data", help="rows to train on; else they are drawn here")
    return parser.parse_args()


def main():
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)
    backend = LIBRARIES[args.lib]
    if backend == "jax":
        os.environ["JAX_PLATFORMS"] = "cpu"
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-args.threads :])
    from importlib.metadata import version

    keys = ("lib", "model", "dim", "layers", "hidden", "blocks", "batch", "threads")
    out = {key: getattr(args, key) for key in keys}
    out["version"] = f"{version(args.lib)} ({backend} {version(backend)})"
    x = load(args)
    out["rows"] = int(x.view("<u4").sum(dtype="u8"))  # tells sets of rows apart
    peer = (Jax if backend == "jax" else Torch)(args, x)
    out["params"] = peer.params
    out.update(train(peer, args))
    peer.trained()
    seconds = args.eval_seconds * args.threads
    out.update(rate("logprob", peer.log_prob, seconds))
    out.update(rate("sample", peer.sample, seconds))
    out["rss_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    print(json.dumps(out), flush=True)


if __name__ == "__main__":
    main()
