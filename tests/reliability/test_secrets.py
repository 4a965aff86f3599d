"""The key of an experiment is nowhere that others look."""

from __future__ import annotations

from pathlib import Path

from maggy import lagom
from maggy.config import BaseConfig
from maggy.engine.local import LocalEngine


class Watched(LocalEngine):
    """The local engine, which remembers the secret."""

    def launch(self, tickets, resources, on_exit):
        self.secret = tickets[0].secret_key.encode()
        assert self.secret
        assert tickets[0].secret_key not in repr(tickets[0])
        return super().launch(tickets, resources, on_exit)


def test_the_secret_is_in_no_argument_list_no_environment_no_log_and_no_file_of_the_experiment(tmp_path):
    def look(reporter):
        """Copies what everybody can see of this process and its ancestors."""
        import os
        from pathlib import Path

        number = os.getpid()
        while number > 1:
            for kind in ("cmdline", "environ"):
                Path(seen, f"{number}-{kind}").write_bytes(Path(f"/proc/{number}/{kind}").read_bytes())
            number = int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])
        print("a line for the log")
        os.write(1, b"a line past print\n")
        reporter.save_checkpoint({"a": 1})
        return 1.0

    seen = str(tmp_path / "seen")
    Path(seen).mkdir()
    engine = Watched()
    lagom(look, BaseConfig(experiment_dir=tmp_path / "run"), engine=engine, verbose=0)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"experiment.json", "recipe.pkl", "result.json", "output.log"}
    assert len(list(Path(seen).iterdir())) >= 4
    assert [path for path in files if engine.secret in path.read_bytes()] == []
