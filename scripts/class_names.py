"""Write ``jaxdream/objectives/data/imagenet_classes.tsv`` from the lists in timm's wheel.

    pip download --no-deps timm==1.0.31 && python scripts/class_names.py timm-1.0.31-*.whl

A line for each class of ILSVRC 2012, in the order of networks' outputs: WordNet id, names.
"""

import sys
import zipfile
from pathlib import Path

OUTPUT = Path(__file__).parents[1] / "jaxdream" / "objectives" / "data" / "imagenet_classes.tsv"


def main(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        synsets = archive.read("timm/data/_info/imagenet_synsets.txt").decode().split()
        lemmas = archive.read("timm/data/_info/imagenet_synset_to_lemma.txt").decode()
    names = dict(line.split("\t") for line in lemmas.splitlines())
    OUTPUT.write_text("".join(f"{synset}\t{names[synset]}\n" for synset in synsets), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
