"""The tables of the embedded backend, as numbered migrations: a new file gets all of them, an existing one
those that it lacks.

A migration only adds, so that a process of an earlier stepsched that has the file open continues to work.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

APPLICATION_ID = 0x73746570  # "step"

_FIRST = """
-- An id is never used again: runs of a job that is gone must not pass for those of its successor.
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    job_group TEXT NOT NULL,
    status TEXT NOT NULL,
    overlap TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    anchor INTEGER NOT NULL,
    next_run INTEGER
);
CREATE INDEX jobs_due ON jobs (next_run) WHERE next_run IS NOT NULL;
-- Definitions that were replaced.
CREATE TABLE job_versions (
    job_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, version)
) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER NOT NULL,
    job TEXT NOT NULL,
    scheduled_for INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    status TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    start_after INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    restarted INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    worker TEXT,
    error TEXT,
    output TEXT
);
-- A scheduled instant of a job is recorded once, whoever records it.
CREATE UNIQUE INDEX runs_once ON runs (job_id, scheduled_for) WHERE trigger = 'schedule';
CREATE INDEX runs_waiting ON runs (start_after, id) WHERE status = 'pending';
CREATE INDEX runs_open ON runs (job_id, id) WHERE status IN ('pending', 'running');
CREATE INDEX runs_by_job ON runs (job, id);
CREATE INDEX runs_failed ON runs (job, id) WHERE status = 'failed';
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_running ON runs (worker) WHERE status = 'running';
-- A worker is one process with the file open for firing; it holds its runs while it is alive.
CREATE TABLE workers (id TEXT PRIMARY KEY, alive_until INTEGER NOT NULL)
"""

_SECOND = """
-- The zone in which instants of the job, and of its runs, are shown.
ALTER TABLE jobs ADD COLUMN timezone TEXT;
-- Whether the one run of the job is recorded as it stands in next_run, with nothing to be decided.
ALTER TABLE jobs ADD COLUMN plain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN timezone TEXT;
-- Attempts that failed, and attempts that the end of their process cut off; attempt counts all that began.
ALTER TABLE runs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
-- Why a pending run must not be claimed: 'queue', 'paused' or 'given up'.
ALTER TABLE runs ADD COLUMN held TEXT;
-- The worker in which an attempt that nobody awaits any more still runs.
ALTER TABLE runs ADD COLUMN lingering TEXT;
-- Why no worker can call a pending run.
ALTER TABLE runs ADD COLUMN reason TEXT;
ALTER TABLE runs ADD COLUMN traceback TEXT;
-- What is left to deliver of a run that failed for good: 1 its dead letter, 2 its notification, 3 both.
ALTER TABLE runs ADD COLUMN undelivered INTEGER NOT NULL DEFAULT 0;
DROP INDEX runs_waiting;
CREATE INDEX runs_waiting ON runs (start_after, id) WHERE status = 'pending' AND held IS NULL;
CREATE INDEX runs_lingering ON runs (job_id) WHERE lingering IS NOT NULL;
CREATE INDEX runs_undelivered ON runs (id) WHERE undelivered > 0;
-- Jobs that a worker cannot call, in the version that it looked at.
CREATE TABLE refusals (
    worker TEXT NOT NULL,
    job_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (worker, job_id)
) WITHOUT ROWID;
CREATE INDEX refusals_of_job ON refusals (job_id);
UPDATE runs SET failures = max(attempt - (status = 'running'), 0) WHERE restarted = 0;
UPDATE runs SET held = 'queue' WHERE status = 'pending'
    AND job_id IN (SELECT id FROM jobs WHERE overlap = 'queue')
    AND EXISTS (SELECT 1 FROM runs e WHERE e.job_id = runs.job_id AND e.id < runs.id
                AND e.status IN ('pending', 'running'))
"""

_THIRD = """
-- Why the job is paused, as its operator has said.
ALTER TABLE jobs ADD COLUMN pause_reason TEXT;
-- A reason ends with its pause, whoever ends it: an earlier stepsched does not know the column.
CREATE TRIGGER jobs_pause_ended AFTER UPDATE OF status ON jobs
    WHEN NEW.status <> 'paused' AND NEW.pause_reason IS NOT NULL
    BEGIN UPDATE jobs SET pause_reason = NULL WHERE id = NEW.id; END
"""

_FOURTH = """
-- Jobs whose names begin with a space, and their runs, are steps of workflows: " 12/load" is one of run 12.
-- The run of a workflow whose end ends the run, which no worker holds.
ALTER TABLE runs ADD COLUMN follows INTEGER;
CREATE INDEX runs_following ON runs (follows) WHERE follows IS NOT NULL;
CREATE TABLE workflows (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    stored_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE workflow_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow TEXT NOT NULL,
    run TEXT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    trigger TEXT NOT NULL,
    scheduled_for INTEGER,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    restarts INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 0,
    input TEXT NOT NULL,
    error TEXT,
    open_steps INTEGER NOT NULL
);
CREATE UNIQUE INDEX workflow_runs_once ON workflow_runs (workflow, run);
CREATE INDEX workflow_runs_by_start ON workflow_runs (workflow, started_at);
CREATE INDEX workflow_runs_ended ON workflow_runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE workflow_steps (
    flow INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    open_needs INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    started_at INTEGER,
    ended_at INTEGER,
    run_id INTEGER,
    output TEXT,
    error TEXT,
    failure TEXT,
    caused_by TEXT,
    reason TEXT,
    PRIMARY KEY (flow, name)
) WITHOUT ROWID;
CREATE INDEX workflow_steps_running ON workflow_steps (run_id) WHERE status = 'running'
"""

_FIFTH = """
-- What happened to jobs and runs, in order, whichever version of stepsched did it: triggers record it in the
-- transaction of the change. Steps of workflows, whose names sort before "!", are left out. The latest event
-- is never deleted, so that a position is not used again. Nothing is required, so that a damaged row can be
-- changed.
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    kind TEXT,
    at INTEGER,
    job TEXT,
    run INTEGER
);
CREATE TRIGGER jobs_created AFTER INSERT ON jobs WHEN NEW.name > '!'
    BEGIN INSERT INTO events (kind, at, job) VALUES ('created', NEW.created_at, NEW.name); END;
CREATE TRIGGER jobs_changed AFTER UPDATE OF version, status ON jobs WHEN NEW.name > '!'
    BEGIN INSERT INTO events (kind, at, job)
        SELECT 'updated', NEW.updated_at, NEW.name WHERE NEW.version <> OLD.version
        UNION ALL SELECT 'resumed', NEW.updated_at, NEW.name
            WHERE OLD.status = 'paused' AND NEW.status <> 'paused'
        UNION ALL SELECT NEW.status, NEW.updated_at, NEW.name
            WHERE NEW.status <> OLD.status AND NEW.status IN ('paused', 'ended'); END;
-- A job that has run out has neither a future instant nor an open run.
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs WHEN OLD.name > '!'
    BEGIN INSERT INTO events (kind, at, job) VALUES (
        CASE WHEN OLD.status = 'active' AND OLD.next_run IS NULL AND NOT EXISTS (SELECT 1 FROM runs
            WHERE job_id = OLD.id AND status IN ('pending', 'running')) THEN 'ended' ELSE 'cancelled' END,
        OLD.updated_at, OLD.name); END;
CREATE TRIGGER runs_recorded AFTER INSERT ON runs WHEN NEW.job > '!'
    BEGIN INSERT INTO events (kind, at, job, run) VALUES (
        CASE NEW.status WHEN 'pending' THEN 'due' ELSE NEW.status END, NEW.recorded_at, NEW.job, NEW.id); END;
CREATE TRIGGER runs_changed AFTER UPDATE OF status, failures ON runs
    WHEN (NEW.status <> OLD.status OR NEW.failures > OLD.failures) AND NEW.job > '!'
    BEGIN INSERT INTO events (kind, at, job, run) VALUES (
        CASE WHEN NEW.status = 'running' THEN 'started' WHEN NEW.status <> 'pending' THEN NEW.status
             WHEN OLD.status = 'failed' THEN 'due' WHEN NEW.failures > OLD.failures THEN 'retried'
             ELSE 'restarted' END,
        CASE NEW.status WHEN 'running' THEN NEW.started_at WHEN 'pending' THEN NEW.start_after
             ELSE NEW.ended_at END, NEW.job, NEW.id); END;
-- Tells the runs of this file from those of others, such as for receivers of calls.
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(16))))
"""


def _name_zones(db: sqlite3.Connection) -> None:
    """Fills in the columns of zones for existing jobs and runs, from the jobs' documents."""
    for key, document in db.execute("SELECT id, document FROM jobs").fetchall():
        try:
            zone = json.loads(document)["schedule"]["timezone"]
        except (ValueError, LookupError, TypeError):  # in UTC, or unreadable
            continue
        if isinstance(zone, str):
            db.execute("UPDATE jobs SET timezone = ? WHERE id = ?", (zone, key))
            db.execute("UPDATE runs SET timezone = ? WHERE job_id = ?", (zone, key))


Step = str | Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    (_FIRST,),
    (_SECOND, _name_zones),
    (_THIRD,),
    (_FOURTH,),
    (_FIFTH,),
)
"""The migrations from each version to the next, starting with none. Their number is the present version."""
VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, present: int) -> None:
    """Migrates a file from its version to the newest, inside a transaction of the caller."""
    for steps in MIGRATIONS[present:]:
        for step in steps:
            if callable(step):
                step(db)
            else:
                for statement in step.split(";\n"):
                    db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
