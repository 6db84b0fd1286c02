"""Check what a release contains: the archives of `python -m build`, before they are uploaded.

python scripts/check_release.py dist
"""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What a wheel must have beside the modules.
NEEDED = (
    "jaxdream/__init__.pyi",
    "jaxdream/py.typed",
    "jaxdream/objectives/data/imagenet_classes.tsv",
    "jaxdream/objectives/data/LICENSE-WordNet.txt",
    "jaxdream/weights/googlenet_mini.safetensors",
    "jaxdream/web/pictures/README.md",
)
ENDINGS = {".py", ".pyi", ".typed", ".tsv", ".txt", ".md", ".jpg", ".safetensors"}
MOST = 30 << 20  # bytes of an archive


def wheel_faults(path: Path) -> list[str]:
    """What is wrong with a wheel, a line each."""
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = wheel.read(metadata).decode("utf-8")
    faults = [f"{name} is missing" for name in NEEDED if name not in names]
    modules = {str(file.relative_to(ROOT)) for file in (ROOT / "jaxdream").rglob("*.py")}
    faults += [f"{name} is missing" for name in sorted(modules - set(names))]
    for name in names:
        ours = name.startswith("jaxdream/") and Path(name).suffix in ENDINGS
        if not ours and ".dist-info/" not in name:
            faults.append(f"{name} does not belong into a wheel")
    licences = [name for name in names if ".dist-info/licenses/" in name]
    if len(licences) != 2:
        faults.append(f"two licences are expected, there are {licences}")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if f"\nVersion: {version}\n" not in text:
        faults.append(f"the version is not {version}")
    if "sdk_version:" in text:
        faults.append("the description has the header of a Space")
    return faults


def source_faults(path: Path) -> list[str]:
    """What is wrong with a source archive, a line each."""
    with tarfile.open(path) as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]
    names = {name.partition("/")[2] for name in files}
    needed = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests/conftest.py",
              "weights/googlenet_mini.safetensors", "jaxdream/__init__.py")  # fmt: skip
    faults = [f"{name} is missing" for name in needed if name not in names]
    others = names - {"PKG-INFO"} - kept_by_git() if (ROOT / ".git").exists() else ()
    return faults + [f"{name} does not belong into a source" for name in sorted(others)]


def kept_by_git() -> set[str]:
    """The files of this clone that belong to it."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return set(listed.stdout.split("\0"))


def main() -> None:
    """Run from the command line."""
    folder = Path(sys.argv[1])
    archives = {
        wheel_faults: list(folder.glob("*.whl")),
        source_faults: list(folder.glob("*.tar.gz")),
    }
    faults = [] if all(map(len, archives.values())) else [f"{folder} lacks a wheel or a source"]
    for check, paths in archives.items():
        for path in paths:
            faults += [f"{path.name}: {fault}" for fault in check(path)]
            if path.stat().st_size > MOST:
                faults.append(f"{path.name}: it has {path.stat().st_size >> 20} MB")
    print("\n".join(faults) or f"{folder}: everything is in its place")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
