import pytest

from crossdock.config.keys import add_token, make_key, read_key, read_tokens, seen_by_others
from crossdock.errors import ConfigurationError


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "key"
    make_key(path)
    key = read_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        make_key(path)
    assert read_key(path) == key


def test_a_key_of_another_length_is_refused(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="5 bytes instead of 32"):
        read_key(path)


@pytest.mark.parametrize(
    ("read", "words"), [(read_key, "master key"), (read_tokens, "crossdock init --token")]
)
def test_a_file_that_is_not_there_is_told_with_a_remedy(tmp_path, read, words):
    with pytest.raises(ConfigurationError, match=words):
        read(tmp_path / "none")


def test_a_token_is_kept_as_a_hash_and_known_again(tmp_path):
    path = tmp_path / "tokens"
    first, second = add_token(path, "operator"), add_token(path, "two words")
    assert path.stat().st_mode & 0o777 == 0o600
    assert first not in path.read_text()
    assert len(first) > 43
    tokens = read_tokens(path)
    assert tokens.names == ("operator", "two words")
    assert (tokens.owner(first), tokens.owner(second)) == ("operator", "two words")


@pytest.mark.parametrize("given", ["", "cdk_", "operator", "cdk_\udcff", "cdk_" + "é" * 40])
def test_nothing_else_is_a_token(tmp_path, given):
    path = tmp_path / "tokens"
    add_token(path, "operator")
    assert read_tokens(path).owner(given) == ""


def test_a_name_has_one_token(tmp_path):
    path = tmp_path / "tokens"
    add_token(path, "operator")
    with pytest.raises(ConfigurationError, match="already"):
        add_token(path, "operator")


def test_a_token_file_that_was_left_half_made_is_no_hindrance(tmp_path):
    (tmp_path / "tokens.new").write_bytes(b"half")
    token = add_token(tmp_path / "tokens", "operator")
    assert read_tokens(tmp_path / "tokens").owner(token) == "operator"


def test_a_damaged_token_file_names_its_line(tmp_path):
    path = tmp_path / "tokens"
    add_token(path, "operator")
    path.write_text(path.read_text() + "\nsomebody abc\n")
    with pytest.raises(ConfigurationError, match="line 3, is no name and hash"):
        read_tokens(path)


def test_a_file_that_others_may_read_is_noticed(tmp_path):
    path = tmp_path / "key"
    make_key(path)
    assert not seen_by_others(path)
    path.chmod(0o640)
    assert seen_by_others(path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="permissions"):
        read_key(tmp_path)
