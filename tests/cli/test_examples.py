"""``jaxdream examples``, as a user calls it."""

import pytest

import jaxdream as jd

EXAMPLES = ["examples", "in", "--model", "mine:net", "--size", "16", "--batch", "2", "-o", "out"]


@pytest.fixture(autouse=True)
def folder(pictures_and_network):
    return pictures_and_network


def test_as_a_process_on_a_folder_with_a_broken_picture(run, folder):
    (folder / "in" / "bad.jpg").write_bytes(b"no picture")
    done = run(*EXAMPLES, "--layer", "second", "relu", "--channels", "0-1", code=3)
    assert done.stdout == "out/index.html: second, relu on 7 of 8 pictures, 1 failed\n"
    assert done.stderr == (
        "jaxdream: in/bad.jpg is not a picture of PNG, JPEG, WEBP, TIFF, BMP, GIF\n"
    )
    assert sorted(path.name for path in (folder / "out" / "units").glob("*.png")) == [
        "relu_0.png", "relu_1.png", "second_0.png", "second_1.png",
    ]  # fmt: skip
    again = run(*EXAMPLES, "--layer", "second", "relu", "--channels", "0-1", code=3)
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(interrupt, run, folder, contents):
    for i in range(7, 400):  # so many that a run takes seconds
        (folder / "in" / f"{i}.png").hardlink_to(folder / "in" / f"{i % 7}.png")
    code, _, said = interrupt(*EXAMPLES, "--layer", "second", after="/400 pictures")
    assert code == 130
    assert "the same command goes on from there" in said
    assert (folder / "out" / "unfinished.npz").exists()
    run(*EXAMPLES, "--layer", "second")
    kept = contents(folder / "out")
    run(*EXAMPLES, "--layer", "second", "--overwrite")
    assert contents(folder / "out") == kept


def test_on_a_cluster_it_is_the_same_with_an_address(cli, monkeypatch):
    given = []

    def find(*arguments, address, device, compute, **options):
        given.append((address, device, compute.precision))
        return jd.examples_of_files(*arguments, **options)

    monkeypatch.setattr("jaxdream.cli.cluster.check_cluster", lambda _: None)  # without Ray
    monkeypatch.setattr("jaxdream.cluster.unit_runs.examples_of_files", find)
    done = cli(*EXAMPLES, "--layer", "second", "--cluster", "auto")
    assert given == [("auto", None, None)]
    assert done.stdout == "out/index.html: second on 7 of 7 pictures\n"
    url = "s3://bucket/x"
    for command in (["examples", url, *EXAMPLES[2:]], [*EXAMPLES, "-o", url]):
        assert f"{url} is a URL" in cli(*command, "--cluster", code=2).stderr
    assert len(given) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--layer", "secnd"], "the nearest is second"),
        (["--channels", "9"], "channels 0 to 4"),
        (["--channels", "x"], "give numbers"),
        (["--visualize", "--visualizations", "in"], "exclude each other"),
        (["--size", "1"], "at least 2x2"),
    ],
)
def test_bad_options(cli, folder, more, message):
    done = cli(*EXAMPLES, *more, code=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()


def test_an_output_that_is_a_file(cli, folder):
    (folder / "out").write_text("mine")
    assert "is a file" in cli(*EXAMPLES, code=2).stderr
