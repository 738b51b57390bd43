"""Bundles for other platforms: what they hold, and that a hostile hand-in does not reach the results.

The tests that run a bundle do so as its platform does: as root, from its own wheel in an empty
environment. Elsewhere they are skipped and say so.
"""

from __future__ import annotations

import base64
import csv
import ctypes
import errno
import hashlib
import io
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from sample_grades import BROKEN, STARTER
from standin import Run

from grader.classroom.outward import apart, bundles, close
from grader.cloud.function import USER_VARIABLE, Isolation, Nursery, NurseryFailed
from grader.course.files import PACKAGE, UsageError, files_in
from grader.course.lab import find
from grader.desk.instructor import bundled

ROOT = PACKAGE.parent
TEMPLATES = bundles.TEMPLATES
LAB = find("1")
is_root = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(os.name == "nt", reason="rights and links of a POSIX system")
as_root = pytest.mark.skipif(
    not is_root or sys.platform != "linux", reason="only root can run learner code as another user"
)


PACK = bundles.wheel


@cache
def packed(distribution: str) -> tuple[str, bytes]:
    return PACK()


@pytest.fixture(autouse=True)
def packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing takes a third of a second, and the package stays what it is."""
    monkeypatch.setattr(bundles, "wheel", lambda: packed(bundles.DISTRIBUTION))


# --- what a bundle holds ----------------------------------------------------------------------


def test_gradescopes_archive_has_its_two_scripts_at_the_root_and_they_can_be_run() -> None:
    with zipfile.ZipFile(io.BytesIO(bundles.zipped(bundles.bundle("gradescope", LAB, 7)))) as held:
        rights = {entry.filename: entry.external_attr >> 16 for entry in held.infolist()}
        settings = held.read("bundle.env").decode()
    assert rights["setup.sh"] & 0o111 and rights["run_autograder"] & 0o111
    assert settings == "LABS_LAB=1\nLABS_SEED=7\n"


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("gradescope", {"setup.sh", "run_autograder", "install.sh", "requirements.txt"}),
        ("classroom50", {"autograder.py", "install.sh", "requirements.txt"}),
        (
            "github-actions",
            {".github/workflows/labs.yml", ".github/actions/labs/action.yml"}
            | {f".github/actions/labs/{name}" for name in ("grade.sh", "requirements.txt")},
        ),
    ],
)
def test_a_bundle_holds_its_scripts_the_wheel_and_the_lock(
    platform: str, expected: set[str]
) -> None:
    pieces = bundles.bundle(platform, LAB, 0)
    assert expected <= set(pieces)
    assert sum(name.endswith(".whl") for name in pieces) == 1
    # Classroom 50 fetches bundles of up to 10 MB.
    assert sum(len(piece.content) for piece in pieces.values()) < 5_000_000


def test_the_same_package_gives_the_same_bytes() -> None:
    once = bundles.zipped(bundles.bundle("gradescope", LAB, 0))
    packed.cache_clear()
    assert bundles.zipped(bundles.bundle("gradescope", LAB, 0)) == once


def test_the_wheel_is_the_running_package_without_solutions_and_pages() -> None:
    name, content = bundles.wheel()
    assert re.fullmatch(r"streamlabs-[0-9.]+-py3-none-any\.whl", name)
    with zipfile.ZipFile(io.BytesIO(content)) as held:
        names = held.namelist()
        for inside in ("desk/cli.py", "course/judge.py", "review/pricing.toml"):
            assert held.read(f"grader/{inside}") == (PACKAGE / inside).read_bytes()
        info = next(name for name in names if name.endswith("/RECORD")).rpartition("/")[0]
        assert "Requires-Dist: moto==" in held.read(f"{info}/METADATA").decode()
        for path, digest, size in csv.reader(held.read(f"{info}/RECORD").decode().splitlines()):
            if not path.endswith("/RECORD"):
                real = hashlib.sha256(held.read(path)).digest()
                assert digest == f"sha256={base64.urlsafe_b64encode(real).rstrip(b'=').decode()}"
                assert int(size) == held.getinfo(path).file_size
    left_out = re.compile(r"grader/(course/_solutions|desk/_docs|desk/_site)/|__pycache__|\.pyc$")
    assert not [one for one in names if left_out.search(one)]
    python = {f"grader/{one}" for one in files_in(PACKAGE) if one.endswith(".py")}
    assert {one for one in python if not left_out.search(one)} <= set(names)


def test_the_lock_of_a_bundle_pins_by_hash_what_the_course_is_tested_with() -> None:
    pieces = bundles.bundle("classroom50", LAB, 0)
    text = pieces["requirements.txt"].content.decode()
    (wheel,) = (name for name in pieces if name.endswith(".whl"))
    digest = hashlib.sha256(pieces[wheel].content).hexdigest()
    assert text.endswith(f"./{wheel} \\\n    --hash=sha256:{digest}\n")
    assert "://" not in text
    pinned: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", text.strip())[:-1]:
        name, version = re.match(r"([a-z0-9._-]+)==([^ ;]+)", block).groups()  # type: ignore[union-attr]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), name
        pinned.setdefault(name, set()).add(version)
    asked = [one for one in requires(bundles.DISTRIBUTION) or () if "extra ==" not in one]
    names = [re.match(r"[A-Za-z0-9._-]+", one)[0].lower() for one in asked]  # type: ignore[index]
    assert len(names) > 5 and set(names) <= set(pinned), "pip would refuse what has no hash"
    if not (ROOT / "requirements.lock").is_file():
        pytest.skip("the lock of the course is in a clone")
    tested = set()
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition(" ;")[0].partition("==")
        assert version in pinned.get(name, {version}), name
        tested.add(name)
    assert set(pinned) <= tested, "run the commands under Dependencies in docs/contributing.md"


def test_a_package_that_was_never_installed_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "DISTRIBUTION", "no-such-package-anywhere")
    with pytest.raises(UsageError, match="install it first"):
        bundles.wheel()


# --- the action -------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / ".github").is_dir(), reason="the action lies in a clone")
@pytest.mark.parametrize("name", ["action.yml", "grade.sh"])
def test_the_repositorys_action_is_the_one_that_is_exported(name: str) -> None:
    own = ROOT / ".github" / "actions" / "labs" / name
    assert own.read_bytes() == (TEMPLATES / "actions" / name).read_bytes()


def test_the_action_is_composite_and_lets_no_input_become_a_command() -> None:
    action = yaml.safe_load((TEMPLATES / "actions" / "action.yml").read_text(encoding="utf-8"))
    assert action["runs"]["using"] == "composite"
    assert set(action["inputs"]) == {"lab", "path", "seed", "python-version"}
    assert all(one["description"] for one in action["inputs"].values())
    steps = action["runs"]["steps"]
    known = {step.get("id") for step in steps}
    for output in action["outputs"].values():
        assert re.search(r"steps\.(\w+)\.outputs", output["value"])[1] in known  # type: ignore[index]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        if "run" in step:
            assert step["shell"] == "bash" and "${{" not in step["run"]
        else:
            assert re.fullmatch(r"[\w./-]+@v\d+", step["uses"])


def test_the_workflow_may_read_only_and_uses_the_action_beside_it() -> None:
    workflow = yaml.safe_load((TEMPLATES / "actions" / "labs.yml").read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["grade"]["steps"]
    assert steps[-1] == {"uses": "./.github/actions/labs"}
    assert steps[0]["with"]["persist-credentials"] is False


# --- the command ------------------------------------------------------------------------------


def test_export_writes_an_archive_for_gradescope(labs: Run, tmp_path: Path) -> None:
    code, out, err = labs("class", "export", "gradescope", "7", str(tmp_path / "lab.zip"))
    assert (code, err) == (0, "") and "lab 7" in out and "Upload it" in out
    assert zipfile.is_zipfile(tmp_path / "lab.zip")


@pytest.mark.parametrize("where", ["classroom50", "github-actions"])
def test_export_writes_folders_for_the_others(labs: Run, tmp_path: Path, where: str) -> None:
    assert labs("class", "export", where, "7", str(tmp_path), "--seed", "3")[0] == 0
    (settings,) = tmp_path.rglob("bundle.env")
    assert settings.read_text() == "LABS_LAB=7\nLABS_SEED=3\n"
    assert os.name == "nt" or os.access(next(tmp_path.rglob("install.sh")), os.X_OK)


def test_export_refuses_what_cannot_be(labs: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is a zip file" in labs("class", "export", "gradescope", "7", str(tmp_path))[2]
    assert "is a folder" in labs("class", "export", "classroom50", "7", str(tmp_path / "file"))[2]
    assert labs("class", "export", "moodle", "7", "x")[0] == 2


# --- one hand-in, apart -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "place", ["", "01-stream-setup", "labs/01-stream-setup", "mine", "mine/labs/01-stream-setup"]
)
def test_a_hand_in_is_found_where_learners_put_it(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for name in LAB.editable:
        shutil.copy(LAB.starter / name, folder)
    (tmp_path / "__MACOSX").mkdir()
    assert apart.folder_of(tmp_path, LAB) == folder


@posix
def test_a_link_in_a_hand_in_leads_nowhere(tmp_path: Path) -> None:
    other = tmp_path / "other" / LAB.name
    shutil.copytree(LAB.solution, other)
    hand_in = tmp_path / "handed-in"
    hand_in.mkdir()
    (hand_in / "labs").symlink_to(other.parent)
    (hand_in / LAB.name).symlink_to(other)
    assert apart.folder_of(hand_in, LAB) == hand_in
    assert apart.graded(LAB, hand_in, 0).score == 0


def test_what_cannot_be_read_has_no_points_and_the_reason(tmp_path: Path) -> None:
    target = tmp_path / "results.json"
    (tmp_path / "empty").mkdir()
    code = run_bundled("--lab", "1", "--from", str(tmp_path / "empty"), f"gradescope={target}")
    assert code == 1
    made = json.loads(target.read_text())
    assert made["score"] == 0 and len(made["tests"]) > 5
    assert "holds no reader.py" in made["tests"][0]["output"]


def run_bundled(*arguments: str) -> int:
    before, mask = Path.cwd(), os.umask(0o022)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["bundled", *arguments])
            return bundled.main()
    finally:
        os.chdir(before)
        os.umask(mask)


@posix
@pytest.mark.parametrize("disguise", ["file", "folder", "link"])
def test_results_that_a_hand_in_brings_are_gone_even_where_we_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disguise: str
) -> None:
    target, elsewhere = tmp_path / "results.json", tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    if disguise == "folder":
        (target / "deep").mkdir(parents=True)
    elif disguise == "link":
        target.symlink_to(elsewhere)
    else:
        target.write_text('{"score": 4711}')
    monkeypatch.setattr(apart, "graded", lambda *_: BROKEN)
    assert run_bundled("--lab", "2", "--from", str(tmp_path), f"gradescope={target}") == 3
    assert not os.path.lexists(target), "a fault of ours decides no mark"
    monkeypatch.setattr(apart, "graded", lambda *_: STARTER)
    assert run_bundled("--lab", "2", "--from", str(tmp_path), f"gradescope={target}") == 1
    assert json.loads(target.read_text())["score"] == STARTER.score
    assert elsewhere.read_text() == "mine"


def test_nothing_is_graded_where_learner_code_would_be_the_results_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not root, and no namespaces: the grader's fault, not a mark that a hand-in wrote."""

    class Weak:
        enforced = Isolation("landlock", "linux", 4)

        def close(self) -> None: ...

    shutil.copytree(LAB.starter, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(Nursery, "start", Weak)
    with pytest.raises(apart.NotApart, match="grade as root"):
        apart.graded(LAB, tmp_path, 0)


@pytest.mark.parametrize("name", ["root", "0", "nobody-of-that-name"])
def test_functions_never_run_as_root_or_nobody_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(USER_VARIABLE, name)
    with pytest.raises(NurseryFailed):
        Nursery.start()


def test_another_user_is_said_and_weakens_what_is_weak() -> None:
    own, other = (Isolation("limits", "linux", filtered=True, other_user=o) for o in (False, True))
    assert any("another user" in sentence for sentence in other.sentences())
    assert any("signal this user's" in sentence for sentence in own.weak)
    assert not any("this user's" in sentence for sentence in other.weak)


@as_root
def test_without_a_python_for_everybody_no_other_user_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where Python lies in root's own home: namespaces have to do, or nothing is graded."""
    closed = tmp_path / "python"
    closed.write_text("")
    closed.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(closed))
    with apart.another_user() as user:
        assert user is None and USER_VARIABLE not in os.environ


@as_root
def test_every_process_of_the_other_user_is_ended() -> None:
    """Also those that ignore signals, have left their session and start others all the time."""
    user = apart.unused_user()
    program = (
        "for n in 1 2 3 4; do (trap '' HUP INT TERM; while :; do sleep 0.01; done) & done;"
        " trap '' HUP INT TERM; wait"
    )
    started = subprocess.Popen(
        ["sh", "-c", program],
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        start_new_session=True,
    )
    for _ in range(200):
        if len(apart.processes_of(user)) > 5:
            break
        time.sleep(0.01)
    assert apart.processes_of(user)
    apart.end_all(user)
    assert apart.processes_of(user) == []
    started.wait()


@posix
def test_sources_are_closed_but_for_what_functions_run_on(tmp_path: Path) -> None:
    package = tmp_path / "grader"
    stays = package / "cloud" / "function" / "child"
    stays.mkdir(parents=True)
    for folder in (package, package / "course", stays):
        folder.mkdir(exist_ok=True)
        (folder / "a.py").write_text("x")
    close.close(package, stays)

    def rights(path: Path) -> int:
        return path.stat().st_mode & 0o777

    assert rights(package / "a.py") == 0o600 and rights(package / "course") == 0o700
    assert rights(package) == rights(package / "cloud") == 0o711
    assert rights(stays) == 0o755 and rights(stays / "a.py") == 0o644


# --- a bundle, run ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage() -> Iterator[Path]:
    """A folder that every user may pass through, as /autograder is; pytest's own is closed."""
    folder = Path(tempfile.mkdtemp(prefix="bundle-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def interpreter(stage: Path) -> Path:
    """An empty environment with the bundle's own wheel, and its dependencies from here."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = (Path(sys.executable).resolve(), Path("/usr/bin") / version)
    packages = Path(sysconfig.get_path("purelib"))
    python = next((one for one in known if one.exists() and everybody_reaches(one)), None)
    if python is None or not everybody_reaches(packages):
        pytest.skip("Python lies where another user cannot read it")
    subprocess.run([python, "-m", "venv", "--without-pip", str(stage / "venv")], check=True)
    site = stage / "venv" / "lib" / version / "site-packages"
    with zipfile.ZipFile(io.BytesIO(bundles.wheel()[1])) as wheel:
        wheel.extractall(site)
    # Behind the wheel on the path, and without the files that point to a clone.
    (site / "dependencies.pth").write_text(f"{packages}\n")
    made = stage / "venv" / "bin" / "python"
    subprocess.run([made, "-I", "-m", "grader.classroom.outward.close"], check=True, cwd="/")
    return made


def everybody_reaches(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in path.parents) and bool(
        path.stat().st_mode & 0o001
    )


def forbid(*names: str) -> None:
    """Make the kernel refuse these system calls from here on: a machine without namespaces."""
    numbers = {
        "x86_64": {"unshare": 272, "landlock_create_ruleset": 444},
        "aarch64": {"unshare": 97, "landlock_create_ruleset": 444},
    }[platform.machine()]
    program = struct.pack("=HBBI", 0x20, 0, 0, 0)
    for name in names:
        program += struct.pack("=HBBI", 0x15, 0, 1, numbers[name])
        program += struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | errno.EPERM)
    program += struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    if ctypes.CDLL(None).prctl(22, ctypes.c_ulong(2), head, *(ctypes.c_ulong(0),) * 2):
        os._exit(99)


# Runs where the hand-in is imported: it tries everything that would help, and notes what worked.
ATTACK = """
def _attack():
    import glob, os
    root, done = {root!r}, []
    for name in ("results/results.json", "source/bundle.env", "submission/reader.py", "run_autograder"):
        try:
            with open(f"{{root}}/{{name}}", "w") as file:
                file.write('{{"score": 4711}}')
            done.append(f"wrote {{name}}")
        except OSError:
            pass
    for pattern in ("source/*", "results/*", "submission_metadata.json", "venv/lib/*/site-packages/grader/course/*.py"):
        for name in glob.glob(f"{{root}}/{{pattern}}") or [f"{{root}}/{{pattern}}"]:
            try:
                open(name).read()
                done.append(f"read {{name}}")
            except OSError:
                pass
    mine = os.getuid()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{{name}}").st_uid == mine:
                continue
            os.kill(int(name), 0)
            done.append(f"could signal {{name}}")
        except OSError:
            pass
    with open(f"{{root}}/evidence/{{os.getpid()}}", "w") as file:
        file.write(f"user {{mine}}\\n" + "\\n".join(done))
    if not os.fork():
        os.setsid()
        if not os.fork():
            for _ in range(10 ** 9):
                try:
                    with open(f"{{root}}/results/results.json", "w") as file:
                        file.write('{{"score": 4711}}')
                except OSError:
                    pass
        os._exit(0)


try:
    _attack()
except OSError:
    pass
"""


@as_root
@pytest.mark.played
def test_a_hand_in_that_writes_results_itself_gets_what_it_deserves(
    stage: Path, interpreter: Path
) -> None:
    """Without namespaces and without Landlock, only the other user stands between them."""
    for name in ("source", "submission", "results"):
        (stage / name).mkdir()
    (stage / "evidence").mkdir()
    (stage / "evidence").chmod(0o777)
    for name, piece in bundles.bundle("gradescope", LAB, 3).items():
        (stage / "source" / name).write_bytes(piece.content)
    (stage / "submission_metadata.json").write_text("{}")
    (stage / "run_autograder").write_bytes((stage / "source" / "run_autograder").read_bytes())
    for name in LAB.editable:
        shutil.copy(LAB.solution / name, stage / "submission")
    handed_in = stage / "submission" / "reader.py"
    handed_in.write_text(ATTACK.format(root=str(stage)) + handed_in.read_text())
    (stage / "results" / "results.json").write_text('{"score": 4711}')

    done = subprocess.run(
        ["bash", str(stage / "run_autograder")],
        cwd=stage,
        env={
            "PATH": "/usr/bin:/bin",
            "LABS_AUTOGRADER": str(stage),
            "LABS_PYTHON": str(interpreter),
        },
        preexec_fn=lambda: forbid("unshare", "landlock_create_ruleset"),
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((stage / "results" / "results.json").read_text())
    assert made["score"] == sum(test["score"] for test in made["tests"]) <= 100
    assert made["extra_data"]["seed"] == 3
    notes = [path.read_text() for path in (stage / "evidence").iterdir()]
    assert notes, "the attack has run where namespaces and Landlock are forbidden"
    users = {int(note.split()[1]) for note in notes}
    assert all(user in apart.UNUSED for user in users)
    assert [note.partition("\n")[2] for note in notes] == [""] * len(notes)
    assert [apart.processes_of(user) for user in users] == [[]] * len(users)
    assert "4711" not in (stage / "results" / "results.json").read_text()
    assert (stage / "source" / "bundle.env").read_text() == "LABS_LAB=1\nLABS_SEED=3\n"


@as_root
def test_classroom50s_autograder_writes_into_the_checkout_what_it_may(
    stage: Path, interpreter: Path
) -> None:
    """A forged result of the hand-in's own is replaced; who and when come from the runner."""
    bundle, checkout = stage / "autograders", stage / "checkout"
    bundle.mkdir()
    checkout.mkdir()
    for name, piece in bundles.bundle("classroom50", LAB, 0).items():
        (bundle / name).write_bytes(piece.content)
    (checkout / "release-body.md").write_text("# Full marks")
    (checkout / "result.json").symlink_to(stage / "autograders" / "bundle.env")
    (checkout / "json.py").write_text("raise SystemExit('imported from the hand-in')")
    git = ["git", "-c", "user.name=mia", "-c", "user.email=mia@example.org", "-C", str(checkout)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    when = {**os.environ, "GIT_COMMITTER_DATE": "2026-06-01T16:32:01+0200"}
    subprocess.run([*git, "commit", "--quiet", "--message", "x"], check=True, env=when)

    done = subprocess.run(
        [sys.executable, str(bundle / "autograder.py")],
        cwd=checkout,
        env={
            "PATH": os.environ["PATH"],
            "LABS_PYTHON": str(interpreter),
            "CLASSROOM": "streams",
            "ASSIGNMENT": "lab-1",
            "OWNER": "mia",
            "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert not (checkout / "result.json").is_symlink()
    assert not (checkout / "release-body.md").exists()
    made = json.loads((checkout / "result.json").read_text())
    assert (made["owner"], made["score"], made["max-score"]) == ("mia", 0, 100)
    assert made["datetime"] == "2026-06-01T14:32:01Z"
    assert (bundle / "bundle.env").read_text().startswith("LABS_LAB=1")


@as_root
def test_the_actions_script_says_score_and_exit_code(stage: Path, interpreter: Path) -> None:
    action, folder = stage / "action", stage / "workspace"
    action.mkdir()
    folder.mkdir()
    for name, piece in bundles.bundle("github-actions", LAB, 0).items():
        (action / Path(name).name).write_bytes(piece.content)
    done = subprocess.run(
        ["bash", str(action / "grade.sh")],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "LABS_ACTION": str(action),
            "LABS_PYTHON": str(interpreter),
            "RUNNER_TEMP": str(stage),
            "GITHUB_OUTPUT": str(stage / "outputs"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said = dict(line.split("=", 1) for line in (stage / "outputs").read_text().splitlines())
    assert (said["score"], said["max-score"], said["passed"]) == ("0", "100", "false")
    assert {path.name for path in Path(said["results"]).iterdir()} == {"labs.xml", "labs.json"}
