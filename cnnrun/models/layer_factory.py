"""Makes and calls the layers of one network: names, seeds, precision and failures in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import keras

from cnnrun.models.layer_calls import called
from cnnrun.models.layer_failures import (
    KERAS_FAILURES,
    LayerError,
    explain,
    refuse_giant_output,
    refuse_what_memory_cannot_hold,
    shapes_text,
)
from cnnrun.models.seeds import seeded_arguments, unseeded_weights

Tensor = Any
"""A symbolic tensor, `keras.KerasTensor`."""


@dataclass(frozen=True)
class MadeLayer:
    """A layer in the network.

    Attributes:
        path: where it stands, such as `residual_1/conv_block_2/conv`.
        layer: the Keras layer; its name is the path with `_` for `/`.
        arguments: what its constructor got, name and dtype included.
        assigned: weight -> initializer, for random weights that no argument seeds.
    """

    path: str
    layer: Any
    arguments: Mapping[str, Any]
    assigned: Mapping[str, Any]


@dataclass
class LayerFactory:
    """Makes layers that are named and seeded by their path.

    Attributes:
        seed: what all seeds derive from.
        dtype: the dtype policy of layers that are not given one, such as `mixed_bfloat16`.
        called: the layers in the order of their calls.
    """

    seed: int
    dtype: str
    called: list[MadeLayer] = field(default_factory=list)
    _made: dict[str, MadeLayer] = field(default_factory=dict)

    def input(self, path: str, shape: tuple[int, ...]) -> Tensor:
        """What the network begins with: a batch of this shape, in float32 whatever the dtype."""
        tensor = keras.Input(shape, dtype="float32", name=path)
        self._made[path] = MadeLayer(path, None, {}, {})
        return tensor

    def make(self, kind: str, path: str, arguments: Mapping[str, Any]) -> Any:
        """A layer of `keras.layers`, not yet called.

        Args:
            kind: the class, such as `Conv2D`.
            path: where it stands in the network.
            arguments: those of the constructor, without `name`.

        Raises:
            LayerError: the constructor refuses the arguments, or the path is taken.
        """
        name = path.replace("/", "_")
        self._refuse_taken_name(name, path)
        layer_class = getattr(keras.layers, kind)
        complete = {
            **seeded_arguments(layer_class, arguments, seed=self.seed, path=path),
            "dtype": arguments.get("dtype") or self.dtype,
            "name": name,
        }
        try:
            layer = layer_class(**complete)
        except KERAS_FAILURES as error:
            raise explain(error, inputs=()) from error
        assigned = unseeded_weights(layer, seed=self.seed, path=path)
        self._made[name] = MadeLayer(path, layer, complete, assigned)
        return layer

    def copy(self, original: Any, path: str, **changed: Any) -> Any:
        """A layer like one of another network, under the same name; not yet called.

        Its weights are initial ones, seeded by its path; it is of this network's dtype.

        Args:
            original: the layer.
            path: where the copy stands in the network.
            changed: arguments that are other than the original's.

        Raises:
            LayerError: the name is taken.
        """
        self._refuse_taken_name(original.name, path)
        kind = type(original)
        config = original.get_config()
        unseeded = {"seed": None} if "seed" in config else {}
        complete = {**config, **unseeded, "trainable": True, "dtype": self.dtype, **changed}
        complete |= seeded_arguments(kind, complete, seed=self.seed, path=path)
        layer = kind.from_config(dict(complete))
        self._made[layer.name] = MadeLayer(path, layer, complete, {})
        return layer

    def call(self, layer: Any, x: Tensor) -> Tensor:
        """The layer's output for the tensor, or for the list of tensors that it merges.

        Raises:
            LayerError: the layer does not fit its input.
        """
        shapes = [tuple(one.shape) for one in (x if isinstance(x, list) else [x])]
        refuse_what_memory_cannot_hold(layer, shapes[0])
        try:
            output = called(layer, x)
        except KERAS_FAILURES as error:
            raise explain(error, inputs=shapes, layer=layer) from error
        if isinstance(output, list | tuple):
            received = f"{len(output)} tensors from input {shapes_text(shapes)}"
            raise LayerError("a layer must hand on one tensor", received, "remove `return_state`")
        refuse_giant_output(tuple(output.shape))
        made = self._made.get(layer.name, MadeLayer(layer.name, layer, {}, {}))
        for weight, initializer in made.assigned.items():
            variable = attrgetter(weight)(layer)
            variable.assign(initializer(variable.shape))
        self.called.append(made)
        return output

    def apply(self, x: Tensor, kind: str, path: str, **arguments: Any) -> Tensor:
        """The output of a new layer: `make`, then `call`."""
        return self.call(self.make(kind, path, arguments), x)

    def operate(
        self, path: str, operation: Callable[..., Tensor], *inputs: Any, **arguments: Any
    ) -> Tensor:
        """The result of a function of `keras.ops`, as an operation that is named by its path.

        Keras would name it after its class, as it names a layer that a user may call `subtract`.
        """
        name = path.replace("/", "_")
        self._refuse_taken_name(name, path)
        output = operation(*inputs, **arguments)
        output._keras_history.operation.name = name
        self._made[name] = MadeLayer(path, operation, arguments, {})
        return output

    def activate(self, x: Tensor, activation: Any, path: str) -> Tensor:
        """The tensor through an activation.

        Args:
            x: any shape.
            activation: a name such as "relu", a layer such as PReLU, or None for none.
            path: the path of the Activation layer that a name gets.
        """
        if activation is None:
            return x
        if isinstance(activation, str):
            return self.apply(x, "Activation", path, activation=activation)
        return self.call(activation, x)

    def _refuse_taken_name(self, name: str, path: str) -> None:
        if name not in self._made:
            return
        other = self._made[name].path
        raise LayerError(
            "each layer must have a name of its own",
            f"{name!r} for both {other} and {path}",
            "choose another `name`",
        )
