"""On how many devices a run trains: as many as its config asks for, or as there are."""

from dataclasses import replace

from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.mirrored import devices_here
from cnnrun.models.network import Network
from cnnrun.runs.events import Note, NoteListener
from cnnrun.wording import counted

ADDRESS = "train.devices"


def with_devices(config: Config, earlier: Config | None, *, listener: NoteListener) -> Config:
    """The config with a number of devices: as given, as the run had them, or all that there are.

    Args:
        config: a checked config, whose `train.threads` this process uses.
        earlier: the resolved config of the run that goes on.
        listener: hears what `all` comes to.

    Raises:
        ConfigError: there are fewer, or an image of each batch is not there for each.
    """
    wanted = config.train.devices
    if wanted == 1:
        return config
    names, are_gpus = devices_here()
    kept = earlier.train.devices if earlier else None
    number = wanted if wanted != "all" else kept if isinstance(kept, int) else len(names)
    if number > len(names):
        there = counted(len(names), "GPU") if are_gpus else "no GPU here, but the processor alone"
        raise _refused(
            "must be at most the number of GPUs",
            received=f"{number}, and there is {there}",
            advice="write `all`, which takes those that there are, or train where there are as many"
            if earlier is None
            else "go on where there are as many, for the number changes sums, and so bits",
        )
    batch_size = config.train.batch_size
    if batch_size < number:
        raise _refused(
            "each device must have an image of each batch",
            received=f"{number} devices and batches of {batch_size}",
            advice="write a larger `batch_size`: it is of all devices together",
        )
    if earlier is None or number > 1:  # a run that goes on with one did not look for others
        listener(Note(_told(number, batch_size, are_gpus=are_gpus)))
    return replace(config, train=replace(config.train, devices=number))


def devices_of(config: Config) -> int:
    """How many devices train, by a config that `with_devices` gave; 1 by any that says `all`."""
    return config.train.devices if isinstance(config.train.devices, int) else 1


def _told(number: int, batch_size: int, *, are_gpus: bool) -> str:
    if number == 1:
        found = "one GPU: it trains" if are_gpus else "no GPU: the processor trains"
        return f"train.devices finds {found}, as without it"
    noun = "GPU" if are_gpus else "device"
    most = -(-batch_size // number)
    return (
        f"each batch of {batch_size} is shared out among {counted(number, noun)},"
        f" {counted(most, 'image')} each at most"
    )


def refuse_undivided(network: Network) -> None:
    """Raise where a layer's part of the loss is not a mean over images.

    Raises:
        ConfigError: a layer has an activity regularizer, or batch norm is renormalized.
    """
    for built in network.layers:
        if getattr(built.layer, "renorm", False):
            what = "batch norm with `renorm`"
        elif built.layer.activity_regularizer is not None:
            what = "an activity regularizer"
        else:
            continue
        spec = built.spec
        raise ConfigError(
            [
                Problem(
                    spec.position,
                    spec.address,
                    "must see a batch as a whole, which several devices share",
                    what,
                    "leave it out, or write `train.devices: 1`",
                )
            ]
        )


def _refused(rule: str, *, received: str, advice: str) -> ConfigError:
    return ConfigError([Problem(None, ADDRESS, rule, received, advice)])
