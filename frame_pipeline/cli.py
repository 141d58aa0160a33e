"""The command `frame-pipeline`. Each command's work is in a file under `commands/`, imported when it is called."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from frame_pipeline import __version__
from frame_pipeline.errors import FramePipelineError, SettingsError, first_line, storage_error
from frame_pipeline.store.layout import store_root

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
DEBUG = "frame_pipeline.debug"


class Commands(click.Group):
    """Turns errors into one sentence on stderr and an exit code; a traceback appears only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        logging.basicConfig(level=logging.CRITICAL, format="%(levelname)s %(name)s %(message)s")
        warnings.simplefilter("ignore")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            # The reader, like `head`, has enough. Python would complain when it flushes stdout at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except KeyboardInterrupt:
            click.echo("stopped; run the same command again to go on where it ended", err=True)
            sys.exit(INTERRUPTED)
        except Exception as error:  # the outermost place: every error ends as a sentence
            if ctx.meta.get(DEBUG):
                raise
            known = error if isinstance(error, FramePipelineError) else storage_error(store_root(), error)
            click.echo(str(known or f"{type(error).__name__}: {first_line(error)} (--debug shows where)"), err=True)
            sys.exit(WRONG_USAGE if isinstance(error, SettingsError) else FAILED)


def _set_debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        # `meta` is shared by a command and the group that it belongs to.
        ctx.meta[DEBUG] = True
        logging.getLogger().setLevel(logging.INFO)
        warnings.simplefilter("default")


debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, callback=_set_debug, help="show tracebacks and log lines"
)


def _store_option(command: Any) -> Any:
    store = click.option(
        "--store", "root", type=click.Path(path_type=Path), default=None, metavar="DIR", callback=_root,
        help="folder of results (default: FRAME_PIPELINE_STORE, else ./store)",
    )  # fmt: skip
    return debug_option(store(command))


def _root(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    return store_root(value)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frame-pipeline")
@debug_option
def cli() -> None:
    """Turn videos into curated, traceable image sets."""


@cli.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@_store_option
@click.option("--preset", default="default", show_default=True, help="options by name, or a YAML file")
@click.option("--set", "overrides", multiple=True, metavar="STAGE.OPTION=VALUE", help="change one option; repeatable")
@click.option("--upto", metavar="STAGE", help="stop after this stage")
@click.option("--json", "as_json", is_flag=True, help="end with one JSON object on stdout")
def run(
    sources: tuple[str, ...], root: Path, preset: str, overrides: tuple[str, ...], upto: str | None, as_json: bool
) -> None:
    """Analyse videos: files, or folders with everything below them."""
    from frame_pipeline.commands.run import run_command

    sys.exit(run_command(sources, root, preset, overrides, upto, as_json))


@cli.command()
@click.argument("sql")
@_store_option
@click.option(
    "--format", "output_format", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True
)
def query(sql: str, root: Path, output_format: str) -> None:
    """Ask the store in SQL, read-only. `SHOW TABLES` lists what is there."""
    from frame_pipeline.commands.query import query_command

    query_command(sql, root, output_format)


@cli.command()
@_store_option
@click.option("--dagster-port", default=3000, show_default=True, help="port of the Dagster UI")
def up(root: Path, dagster_port: int) -> None:
    """Start the Dagster UI and daemon on 127.0.0.1 and stop them with Ctrl-C."""
    from frame_pipeline.commands.up import up_command

    sys.exit(up_command(root, dagster_port))


@cli.command()
@_store_option
@click.option("--json", "as_json", is_flag=True, help="print one JSON object")
def doctor(root: Path, as_json: bool) -> None:
    """Say what works on this machine, and what each missing piece switches off."""
    from frame_pipeline.commands.doctor import doctor_command

    sys.exit(doctor_command(root, as_json))


@cli.command()
@_store_option
@click.option("--yes", is_flag=True, help="remove unused results without asking")
def maintain(root: Path, yes: bool) -> None:
    """Compact the store, and remove what newer results have replaced, after listing it."""
    from frame_pipeline.commands.maintain import maintain_command

    maintain_command(root, yes)


@cli.command()
@_store_option
@click.option("--to", "folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, metavar="DIR")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=2), help="length of the clip")
def demo(root: Path, folder: Path, seconds: float) -> None:
    """Make a clip, analyse it, and show its best frames."""
    from frame_pipeline.commands.demo import demo_command

    sys.exit(demo_command(root, folder, seconds))


def main() -> None:
    """The console script."""
    cli(prog_name="frame-pipeline")
