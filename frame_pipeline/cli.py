"""The command `frame-pipeline`. Each command's work is in a file of its own under `commands/`, imported when it is called."""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from frame_pipeline import __version__
from frame_pipeline.errors import FramePipelineError, SettingsError, storage_error
from frame_pipeline.store.layout import store_root

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


class Commands(click.Group):
    """Turns errors into one sentence on stderr and an exit code; a traceback appears only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        debug = bool(ctx.params.get("debug")) or "--debug" in ctx.protected_args + ctx.args
        logging.basicConfig(level=logging.INFO if debug else logging.CRITICAL, format="%(levelname)s %(name)s %(message)s")
        if not debug:
            warnings.simplefilter("ignore")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("stopped; run the same command again to go on where it ended", err=True)
            sys.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - the outermost place: every error ends as a sentence
            if debug:
                raise
            known = error if isinstance(error, FramePipelineError) else storage_error(store_root(), error)
            click.echo(str(known or f"{type(error).__name__}: {error} (--debug shows where)"), err=True)
            sys.exit(WRONG_USAGE if isinstance(error, SettingsError) else FAILED)


def _store_option(command: Any) -> Any:
    debug = click.option("--debug", is_flag=True, expose_value=False, help="show tracebacks")
    store = click.option(
        "--store", "root", type=click.Path(path_type=Path), default=None, metavar="DIR", callback=_root,
        help="folder of results (default: FRAME_PIPELINE_STORE, else ./store)",
    )  # fmt: skip
    return debug(store(command))


def _root(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> Path:
    return store_root(value)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="frame-pipeline")
@click.option("--debug", is_flag=True, help="show tracebacks")
def cli(debug: bool) -> None:  # noqa: ARG001 - read by Commands.invoke
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
@click.option("--format", "output_format", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
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
