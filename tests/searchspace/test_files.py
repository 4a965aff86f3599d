"""Search spaces in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from maggy.errors import SearchspaceError
from maggy.searchspace import Choice, Rand, Searchspace, Space, read_space, space_from_toml

EVERYTHING = """
epochs = 3
learning_rate = { type = "double", values = [1e-5, 1e-1], log = true, prior = 1e-3, confidence = "high" }
units = { type = "INTEGER", values = [16, 256], q = 16 }
batch_size = { type = "discrete", values = [16, 32, 64] }
optimizer = { type = "categorical", values = ["sgd", "adam"] }
momentum = { type = "double", values = [0, 0.99], when = { optimizer = "sgd" } }
noise = { type = "normal", values = [0, 1] }
fold = { type = "grid", values = [1, 2] }
betas = { type = "constant", values = [[0.9, 0.999]] }

[network]
activation = "relu"
layers = [{ type = "integer", values = [8, 64] }, 32]

[network.head]
dropout = { type = "double", values = [0, 0.5] }

[[forbid]]
optimizer = "sgd"
batch_size = [16, 32]
"""


def test_a_file_of_toml_can_say_what_a_program_can():
    in_a_program = Searchspace(
        epochs=3,
        learning_rate=("DOUBLE", [1e-5, 1e-1], {"log": True, "prior": 1e-3, "confidence": "high"}),
        units=("INTEGER", [16, 256], {"q": 16}),
        batch_size=("DISCRETE", [16, 32, 64]),
        optimizer=("CATEGORICAL", ["sgd", "adam"]),
        momentum=("DOUBLE", [0, 0.99], {"when": {"optimizer": "sgd"}}),
        noise=("NORMAL", [0, 1]),
        fold=("GRID", [1, 2]),
        betas=("CONSTANT", [[0.9, 0.999]]),
        network={
            "activation": "relu",
            "layers": [("INTEGER", [8, 64]), 32],
            "head": {"dropout": ("DOUBLE", [0, 0.5])},
        },
    ).forbid(optimizer="sgd", batch_size=[16, 32])
    assert space_from_toml(EVERYTHING) == in_a_program


def test_a_start_is_a_table_of_its_own():
    space = space_from_toml('lr = { type = "double", values = [0, 1] }\n[[start_with]]\nlr = 0.5\n')
    assert list(space.starts) == [{"lr": 0.5}]


def test_a_file_is_read_by_its_name(tmp_path):
    Path(tmp_path, "a.toml").write_text(EVERYTHING)
    flat = read_space(tmp_path / "a.toml")
    Path(tmp_path, "b.json").write_text(flat.json())
    assert read_space(tmp_path / "b.json") == flat
    union = Space(kind="a", lr=Rand(0, 1)) + Space(kind="b", n=Choice(1, 2))
    Path(tmp_path, "c.json").write_text(union.json())
    assert read_space(str(tmp_path / "c.json")) == union


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lr = {", "space.toml: this is no TOML"),
        ("lr = 1\nlr = 2", "space.toml: this is no TOML"),
        ("", "there is no hyperparameter in it"),
        ('lr = { type = "dubble", values = [0, 1] }', "'lr' has the type 'dubble', known are integer, double"),
        ("lr = { values = [0, 1] }", "'lr' has no 'type'"),
        ('lr = { type = "double" }', "'lr' has no 'values': lr = { type = 'double', values = [0, 1] }"),
        ('lr = { type = "double", values = [1, 0] }', "'lr': the lower bound 1.0 must be less"),
        ('lr = { type = "double", values = [0, 1], lag = true }', "'lr': DOUBLE has no option 'lag'"),
        ("[net]\nsizes = [1, { values = [0, 1] }]", "'net.sizes.1' has no 'type'"),
        ("sizes = [1, 2]", "'sizes' is a bare list. To choose one of its values: sizes = { type = 'categorical'"),
        ("day = 2026-01-01", "'day': a value must be a str"),
        ("forbid = 3", "'forbid' has to be a list of tables, each headed by [[forbid]]"),
    ],
)
def test_an_error_names_the_file_and_the_key(text, says, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(SearchspaceError) as error:
        read_space(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", "[1]", "expected a JSON object"),
        ("a.json", "{", "this is no JSON"),
        ("a.yaml", "lr: 1", "its name has to end with .toml or .json"),
    ],
)
def test_other_files_are_refused(name, text, says, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(SearchspaceError, match=says):
        read_space(tmp_path / name)
    with pytest.raises(SearchspaceError, match="cannot be read"):
        read_space(tmp_path / "nowhere.toml")
