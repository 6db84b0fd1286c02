"""Ray, for the tests of clusters: they are skipped without it, except where CI asks for them."""

import os

import pytest

REQUIRED = os.environ.get("JAXDREAM_TEST_CLUSTER") == "1"

if REQUIRED:
    import pyarrow
    import pyarrow.parquet as parquet
    import ray
    import s3fs
else:
    why = "a cluster needs Ray: pip install '.[cluster-test]'"
    ray = pytest.importorskip("ray", reason=why)
    pyarrow = pytest.importorskip("pyarrow", reason=why)
    parquet = pytest.importorskip("pyarrow.parquet", reason=why)
    s3fs = pytest.importorskip("s3fs", reason=why)

__all__ = ["REQUIRED", "parquet", "pyarrow", "ray", "s3fs"]
