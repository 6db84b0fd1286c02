"""The tables of a benchmark, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.background import BUSY
from benchmark.results import (
    FIRST,
    IN_TURN,
    OURS,
    SECOND,
    THEIRS,
    TOGETHER,
    Batches,
    Coherence,
    Comparison,
    FrameTime,
    Host,
    Large,
    LayerTimes,
    Measured,
    Results,
    Run,
    Runs,
    Steps,
    Variants,
    best,
    ratio,
)


def to_markdown(results: Results) -> str:
    """The tables, under the name of the machine."""
    parts = [machine_lines(results)]
    if results.steps:
        parts.append("### One step\n\n" + steps_table(results.steps, results.rate))
    for network, size, layers in results.layers:
        title = f"### {network} at {_size(size)}, layer by layer\n\n"
        parts.append(title + layers_table(layers))
    if results.runs:
        parts.append("### A whole run\n\n" + runs_table(results.runs))
    if results.large:
        parts.append("### Large pictures\n\n" + large_table(results.large))
    if results.batches:
        parts.append("### Several pictures at once\n\n" + batches_table(results.batches))
    if results.variants:
        parts.append("### Several variants at once\n\n" + variants_table(results.variants))
    if results.host:
        parts.append("### The host's work between two steps\n\n" + host_table(results.host))
    if results.startup:
        parts.append("### Start-up\n\n" + startup_table(results.startup, results.runs))
    if results.coherence:
        parts.append("### Coherence of videos\n\n" + coherence_table(results.coherence))
    if results.frame_times:
        parts.append("### A frame of a video\n\n" + frame_table(results.frame_times))
    if results.comparison:
        parts.append("### New against old\n\n" + comparison_table(results.comparison))
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} under {len(header)} columns")
        lines.append("| " + " | ".join(map(str, row)) + " |")
    return "\n".join(lines)


def machine_lines(results: Results) -> str:
    """Machine, date, versions, weights, and how busy the machine was."""
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    torch = "" if machine.torch_device is None else f"; PyTorch on {machine.torch_device}"
    lines = [
        f"- {results.date}; {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_bytes / 2**30:.0f} GiB; {machine.system}",
        f"- JAX on {machine.device}{torch}; {versions}",
        *(f"- {name}: weights {source}" for name, source in results.weights.items()),
    ]
    if results.matmul:
        rates = ", ".join(
            f"{name} {results.matmul_flops / m.median / 1e9:.0f} GFLOP/s"
            for name, m in results.matmul.items()
        )
        lines.append(f"- matrix multiplication, float32: {rates}; percentages are of the better")
    if results.comparison:
        lines += [f"- old: {results.comparison.old}", f"- new: {results.comparison.new}"]
    for part, share in results.background.items():
        if share is not None:
            doubt = " (WARNING: not idle)" if share > BUSY else ""
            lines.append(f"- other programs used {share:.0%} of the processors: {part}{doubt}")
    return "\n".join(lines)


def steps_table(steps: Sequence[Steps], rate: float | None) -> str:
    """One row a network and size."""
    header = ["network, picture", "jaxdream ms", *(f"{name} ms" for name in THEIRS)]
    header += ["ratio to the best", "GFLOP", "jaxdream GFLOP/s", "best PyTorch GFLOP/s"]
    header += ["compilation s", "PyTorch's preparation s"]
    rows = []
    for item in steps:
        theirs = best(item.seconds)
        row = [f"{item.network} {item.layer}, {_size(item.size)}"]
        row += [_milliseconds(item.seconds[name]) for name in (OURS, *THEIRS)]
        row += [_ratio(item.ratio), f"{item.flops / 1e9:.1f}"]
        row += [_rate(item.flops, item.seconds[name], rate) for name in (OURS, theirs)]
        row += [f"{item.preparation[name]:.1f}" for name in (OURS, theirs)]
        rows.append(row)
    return table(header, rows)


def runs_table(runs: Sequence[Runs]) -> str:
    """One row a network and program."""
    header = ["network, picture, program", "s", "ratio to the best PyTorch", "first step shown s"]
    header.append("peak memory MiB")
    rows = []
    for item in runs:
        for kind, several in item.runs.items():
            first = [run.first_step for run in several if run.first_step is not None]
            peak = Measured(tuple(run.peak_bytes / 2**20 for run in several))
            rows.append(
                [
                    f"{item.network} {item.layer}, {_size(item.size)}, {kind}",
                    _number(item.seconds(kind)),
                    _ratio(item.ratio(kind)),
                    _number(Measured(tuple(first))) if first else "not shown",
                    f"{peak.median:.0f}",
                ]
            )
    return table(header, rows)


def large_table(large: Sequence[Large]) -> str:
    """One row a network and size; a network's sizes are compared to its first."""
    header = ["network, picture", "megapixels", "s a step", "per pixel, to the first"]
    header += ["memory limit", "peak memory MiB"]
    first: dict[str, Large] = {}
    rows = []
    for item in large:
        reference = first.setdefault(item.network, item)
        row = [f"{item.network} {item.layer}, {_size(item.size)}"]
        row += [f"{item.size[0] * item.size[1] / 1e6:.2f}", f"{item.step:.2f}"]
        row += [f"{item.step_per_pixel / reference.step_per_pixel:.2f}"]
        row += [item.memory, f"{item.many.peak_bytes / 2**20:.0f}"]
        rows.append(row)
    return table(header, rows)


def batches_table(batches: Sequence[Batches]) -> str:
    """One row a network and number of pictures; ratios are to one picture alone."""
    rows = []
    for item in batches:
        for count, seconds in item.seconds.items():
            name = f"{item.network} {item.layer}, {_size(item.size)}, {count} at once"
            share = ratio(seconds, item.seconds["1"])
            rows.append([name, _milliseconds(seconds), _ratio(share)])
    return table(["network, picture", "ms a step and picture", "ratio to one alone"], rows)


def variants_table(variants: Sequence[Variants]) -> str:
    """One row a network: a step of several variants, together and one at a time."""
    rows = []
    for item in variants:
        together, in_turn = item.seconds[TOGETHER], item.seconds[IN_TURN]
        name = f"{item.network}, {_size(item.size)}, {item.count} variants"
        share = _ratio(ratio(together, in_turn))
        rows.append([name, _milliseconds(together), _milliseconds(in_turn), share])
    header = ["network, picture", f"ms a step and variant, {TOGETHER}", IN_TURN, "ratio"]
    return table(header, rows)


def host_table(host: Sequence[Host]) -> str:
    """One row a network."""
    rows = [[item.network, _milliseconds(item.seconds)] for item in host]
    return table(["network", "ms of Python a step"], rows)


def startup_table(startup: dict[str, list[Run]], runs: Sequence[Runs]) -> str:
    """One row a command, and the first steps of the whole runs again."""
    rows = [
        [f"`{name}`", _number(Measured(tuple(run.seconds for run in several)), digits=2)]
        for name, several in startup.items()
    ]
    for item in runs:
        for kind in (FIRST, SECOND):
            first = [run.first_step for run in item.runs[kind] if run.first_step is not None]
            if first:
                name = f"`jaxdream dream` to the first step shown, {item.network}, {kind[10:]}"
                rows.append([name, _number(Measured(tuple(first)), digits=2)])
    return table(["command", "s"], rows)


def coherence_table(coherence: Sequence[Coherence]) -> str:
    """One row a clip and way; ratios are to the first way of the same clip."""
    header = ["clip, dreamed", "warp error, levels²", "ratio", "of the clip itself, levels²"]
    header += ["change of the detail, levels", "mean abs. detail, levels"]
    first: dict[str, Coherence] = {}
    rows = []
    for item in coherence:
        reference = first.setdefault(item.clip, item)
        row = [f"{item.clip}, {item.way}", f"{item.warp_error:.1f}"]
        share = item.warp_error / reference.warp_error if reference.warp_error else None
        row += ["" if share is None else f"{share:.2f}", f"{item.own_error:.1f}"]
        rows.append([*row, f"{item.detail_change:.2f}", f"{item.strength:.1f}"])
    return table(header, rows)


def frame_table(times: Sequence[FrameTime]) -> str:
    """One row a clip."""
    header = ["clip", "frames a second", "s a frame", "s of flow", "s of reading and writing"]
    rows = [
        [
            f"{item.clip}, {_size(item.size)}",
            f"{1 / (item.frame + item.codec):.2f}",
            *(f"{seconds:.3f}" for seconds in (item.frame, item.flow, item.codec)),
        ]
        for item in times
    ]
    return table(header, rows)


def comparison_table(comparison: Comparison) -> str:
    """One row a quantity."""
    rows = []
    for item in comparison.rows:
        digits = 0 if item.unit == "MiB" else 1
        row = [f"{comparison.network}, {item.name}", item.unit]
        row += [_number(item.old, digits), _number(item.new, digits)]
        rows.append([*row, f"{item.ratio.median:.3f}"])
    return table(["network, measurement", "unit", "old", "new", "new / old"], rows)


def layers_table(layers: Sequence[LayerTimes]) -> str:
    """One row a layer, and their sums; PyTorch is the better layout by the sums."""
    total = {
        name: sum(item.forward[name].median + item.gradient[name].median for item in layers)
        for name in (OURS, *THEIRS)
    }
    theirs = min(THEIRS, key=lambda name: total[name])
    header = ["layer", "GFLOP", "jaxdream forward ms", "gradient ms", f"{theirs} forward ms"]
    header += ["gradient ms", "jaxdream - PyTorch ms", "jaxdream GFLOP/s", "PyTorch GFLOP/s"]
    rows = []
    for item in layers:
        ours_pair = (item.forward[OURS].median, item.gradient[OURS].median)
        theirs_pair = (item.forward[theirs].median, item.gradient[theirs].median)
        row = [item.name, f"{2 * item.flops / 1e9:.2f}" if item.flops else ""]
        row += [f"{1e3 * seconds:.1f}" for seconds in (*ours_pair, *theirs_pair)]
        row.append(f"{1e3 * (sum(ours_pair) - sum(theirs_pair)):+.1f}")
        for pair in (ours_pair, theirs_pair):
            row.append(f"{2 * item.flops / sum(pair) / 1e9:.0f}" if item.flops else "")
        rows.append(row)
    flops = 2 * sum(item.flops for item in layers)
    row = ["sum", f"{flops / 1e9:.2f}"]
    for name in (OURS, theirs):
        row += [f"{1e3 * sum(i.forward[name].median for i in layers):.1f}"]
        row += [f"{1e3 * sum(i.gradient[name].median for i in layers):.1f}"]
    row.append(f"{1e3 * (total[OURS] - total[theirs]):+.1f}")
    row += [f"{flops / total[name] / 1e9:.0f}" for name in (OURS, theirs)]
    return table(header, [*rows, row])


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _milliseconds(measured: Measured) -> str:
    low, high = measured.spread
    digits = 0 if measured.median > 0.02 else 2
    return f"{1e3 * measured.median:.{digits}f} ({1e3 * low:.{digits}f}-{1e3 * high:.{digits}f})"


def _number(measured: Measured, digits: int = 1) -> str:
    low, high = measured.spread
    if len(measured.values) == 1:
        return f"{measured.median:.{digits}f}"
    return f"{measured.median:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _ratio(measured: Measured) -> str:
    return f"{measured.median:.2f}"


def _rate(flops: int, measured: Measured, rate: float | None) -> str:
    speed = flops / measured.median
    share = f" ({speed / rate:.0%})" if rate else ""
    return f"{speed / 1e9:.0f}{share}"
