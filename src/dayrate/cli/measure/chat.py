"""``dayrate measure chat``: a conversation in the terminal, with a running meter."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from dayrate.cli.measure import options
from dayrate.cli.measure.generate import plain
from dayrate.cli.output import asked_words, say, write, write_file, write_part
from dayrate.errors import InvalidInput
from dayrate.report.i18n import Words, mark

if TYPE_CHECKING:
    from dayrate.measure.chat import Conversation, Totals
    from dayrate.measure.generate.figures import Figures

__all__ = ["EPILOG", "chat_command"]

EPILOG = (
    "Example: dayrate measure chat --electricity '0.65 CNY/kWh' "
    "--machine-price '0.10 USD/h'"
)
DEFAULT_ANSWER = 512
_HELP = (
    ("/cost", mark("tokens, seconds, joules and money so far")),
    ("/reset", mark("forget what was said; the meter goes on")),
    ("/save FILE", mark("write the conversation and its figures as JSON")),
    ("/help", mark("this list")),
    ("/quit", mark("leave; Ctrl-D does too")),
)


def chat_command(
    *,
    model: options.Model = "smollm2-135m-instruct",
    system: Annotated[
        str | None,
        typer.Option(
            "--system",
            metavar="text",
            help="What the model is told first.",
            show_default=False,
        ),
    ] = None,
    max_new_tokens: options.MaxNewTokens = None,
    as_json: options.AsJson = False,
    lang: options.Lang = None,
    temperature: options.Temperature = None,
    top_p: options.TopP = None,
    top_k: options.TopK = None,
    seed: options.Seed = 0,
    backend: options.Backend = None,
    threads: options.Threads = None,
    dtype: options.DtypeName = "auto",
    device: options.Device = "auto",
    max_model_len: options.MaxModelLen = None,
    electricity: options.Electricity = None,
    machine_price: options.MachinePrice = None,
    currency: options.Currency = "USD",
    fx: options.Fx = None,
) -> None:
    """Talk with a model that runs here; every turn says what it took.

    /help lists the commands. Ctrl-C stops an answer and keeps what came of it. With
    --json the conversation is on stderr and the document on stdout.
    """
    from dayrate.measure.chat import Conversation  # noqa: PLC0415 - slow
    from dayrate.measure.generate.ask import Lengths, Sampling  # noqa: PLC0415
    from dayrate.measure.generate.run import Setup, load  # noqa: PLC0415
    from dayrate.measure.generate.tariff import tariff  # noqa: PLC0415

    _ = asked_words(lang)
    sampling = Sampling(temperature=temperature, top_p=top_p, top_k=top_k, seed=seed)
    wanted = DEFAULT_ANSWER if max_new_tokens is None else max_new_tokens
    Lengths(max_new_tokens=wanted)  # a number it may be
    prices = tariff(electricity, machine_price, currency, fx)
    setup = Setup(model, backend, threads, dtype, device, max_model_len)
    say(_("Loading {model} …").format(model=setup.model))
    engine = load(setup, sampling)
    conversation = Conversation(engine, wanted, sampling, prices, system)
    say(_("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves."))
    _Terminal(conversation, _, _to_stderr if as_json else write_part).run()
    if as_json:
        from dayrate.report.json_ import to_json  # noqa: PLC0415 - slow

        write(to_json(conversation.to_dict()))


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@dataclass(slots=True)
class _Terminal:
    """Reads lines, answers, obeys commands."""

    conversation: "Conversation"
    _: Words
    out: Callable[[str], None]

    def run(self) -> None:
        """Go on until the person leaves or the input ends."""
        for line in _lines():
            text = line.strip()
            if not sys.stdin.isatty():  # a terminal has shown it already
                self.out(f"> {plain(text)}\n")
            if text == "/quit":
                return
            try:
                if text.startswith("/"):
                    self._obey(text)
                elif text:
                    self._answer(text)
            except InvalidInput as error:
                say(self._("Error: {message}").format(message=error))
            except KeyboardInterrupt:  # between the tokens of two answers
                say("")

    def _answer(self, text: str) -> None:
        figures = self.conversation.say(text, lambda part: self.out(plain(part)))
        self.out("\n")
        notes = [self._("interrupted")] if figures.trace.interrupted else []
        if _is_full(figures):
            notes.append(self._("the context is full: /reset to go on"))
        self.out(f"  [{'; '.join([self._meter(figures), *notes])}]\n\n")

    def _meter(self, figures: "Figures") -> str:
        """Write one line of what a turn took."""
        from dayrate.measure.chat import Totals  # noqa: PLC0415 - loaded by now

        cached = figures.cached_tokens
        kept = self._("{n} cached").format(n=f"{cached:,}") if cached else ""
        return self._sums(Totals.of([figures]), kept)

    def _sums(self, totals: "Totals", remark: str = "") -> str:
        from dayrate.cli.measure.figures import energy_word  # noqa: PLC0415 - slow
        from dayrate.report.numbers import Coin, figure  # noqa: PLC0415

        tariff, _ = self.conversation.tariff, self._
        coin = Coin(tariff.currency, tariff.currency_per_usd)
        tokens = _("{n} tokens in").format(n=f"{totals.computed_tokens:,}")
        parts = [f"{tokens} ({remark})" if remark else tokens]
        parts.append(_("{n} out").format(n=f"{totals.output_tokens:,}"))
        parts.append(f"{figure(totals.seconds)} s")
        parts.append(energy_word(totals.energy, _))
        if totals.cost.terms_usd:
            parts.append(coin.text(float(totals.cost.total_usd)))
        return ", ".join(parts)

    def _obey(self, text: str) -> None:
        command, _space, rest = text.partition(" ")
        if command == "/save":
            self._save(rest.strip())
        elif text == "/reset":
            self.conversation.reset()
            say(self._("Forgotten; the next turn begins anew."))
        elif text == "/cost":
            turns = self._("{n} turns").format(n=len(self.conversation.turns))
            self.out(f"  [{turns}: {self._sums(self.conversation.totals())}]\n")
        elif text == "/help":
            self.out("".join(f"  {c:<12} {self._(t)}\n" for c, t in _HELP))
        else:
            raise InvalidInput(f"There is no command {text!r}; /help lists them.")

    def _save(self, path: str) -> None:
        from dayrate.report.json_ import to_json  # noqa: PLC0415 - slow

        if not path:
            raise InvalidInput("/save needs the name of a file, as in /save chat.json.")
        write_file(path, to_json(self.conversation.to_dict()) + "\n")
        say(self._("Saved to {path}.").format(path=path))


def _is_full(figures: "Figures") -> bool:
    context = figures.host.context_tokens
    return context is not None and figures.prompt_tokens + figures.output_tokens >= (
        context
    )


def _lines() -> Iterator[str]:
    """Yield lines until the end of the input; two Ctrl-C in a row end it too."""
    interrupted = False
    while True:
        try:
            line = _line()
        except EOFError:
            return
        except UnicodeDecodeError:
            raise InvalidInput("The input is not UTF-8 text.") from None
        except KeyboardInterrupt:
            say("")
            if interrupted:
                return
            interrupted = True
            continue
        interrupted = False
        yield line


def _line() -> str:
    """Read a line: with editing at a terminal, else as it comes."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return input("> ")
    if sys.stdin.isatty():
        _to_stderr("> ")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
