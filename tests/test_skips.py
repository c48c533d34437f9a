"""A skip that the list of allowed ones does not hold is a failure that names test and reason."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = (Path(__file__).parent / "conftest.py").read_text(encoding="utf-8")
SKIPS = """
    import pytest

    @pytest.fixture
    def cluster():
        pytest.skip("no cluster here")

    def test_in_a_fixture(cluster): ...
    def test_in_the_body(): pytest.skip("no moon tonight")
    @pytest.mark.skip(reason="never mended")
    def test_by_a_mark(): ...
    @pytest.mark.parametrize("x", [])
    def test_of_nothing(x): ...
    @pytest.mark.xfail
    def test_known_to_fail(): assert False
    def test_that_passes(): ...
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs pytest on the files here, under a list of allowed skips or none."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeconftest(CONFTEST)

    def runs(*patterns):
        listed = "".join(f"- pattern: {pattern}\n  why: a test\n" for pattern in patterns)
        pytester.path.joinpath("allowed.yaml").write_text(listed)
        return pytester.runpytest("-rs", *(["--allowed-skips=allowed.yaml"] if patterns else []))

    return runs


def test_without_the_option_skips_pass(pytester, run):
    pytester.makepyfile(SKIPS)
    run().assert_outcomes(passed=1, skipped=4, xfailed=1)


def test_each_kind_of_skip_fails_and_is_named_with_its_reason(pytester, run):
    pytester.makepyfile(test_it=SKIPS)
    done = run("no sun")
    done.assert_outcomes(passed=1, failed=1, errors=3, xfailed=1)
    for test, reason in {
        "in_a_fixture": "no cluster here",
        "in_the_body": "no moon tonight",
        "by_a_mark": "never mended",
        "of_nothing": "got empty parameter set for (x)",
    }.items():
        done.stdout.fnmatch_lines(
            f"test_it.py::test_{test}*was skipped, which allowed.yaml does not allow: {reason}"
        )


def test_an_allowed_skip_passes_and_is_listed(pytester, run):
    pytester.makepyfile(test_it=SKIPS)
    done = run("^no (cluster|moon)", "^never", "empty parameter set")
    done.assert_outcomes(passed=1, skipped=4, xfailed=1)
    done.stdout.fnmatch_lines("SKIPPED*no cluster here")
    assert done.ret == 0


def test_a_module_that_is_skipped_whole_fails(pytester, run):
    pytester.makepyfile('import pytest; pytest.importorskip("no_such_module")')
    done = run("no sun")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines("*was skipped, which allowed.yaml does not allow: could not import*")


def test_a_longer_limit_comes_with_the_mark(pytester, run):
    pytester.makeini("[pytest]\nmarkers = slow\ntimeout = 300")
    pytester.makepyfile("""
        import pytest

        def limit(request):
            return request.node.get_closest_marker("timeout")

        def test_plain(request): assert limit(request) is None
        @pytest.mark.slow
        def test_slow(request): assert limit(request).args == (1200,)
        @pytest.mark.slow
        @pytest.mark.timeout(5)
        def test_its_own(request): assert limit(request).args == (5,)
    """)
    run().assert_outcomes(passed=3)
