#!/usr/bin/python3
"""Trains the Fashion-MNIST networks of this folder and exports them to ONNX.

Debian packages python3-torch and dataset-fashion-mnist are all it needs:

    /usr/bin/python3 train.py --net all

Everything random is seeded and PyTorch runs on one thread, so the same PyTorch on the same kind of processor should
repeat the committed networks. The test images are looked at but never used to choose: what is exported is the state
after the last epoch.
"""

import argparse
import gzip
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Preprocessing stays outside the graph: x = (pixel * SCALE - MEAN) / STD. These are the training set's own statistics,
# rounded; the command line tools take them as --scale 1/255 --mean 0.2860 --std 0.3530 --channel-order gray.
SCALE, MEAN, STD = 1 / 255, 0.2860, 0.3530

SIZE = 28
CLASSES = 10
MAX_SHIFT = 2  # pixels, of the random shift


# --- Data --------------------------------------------------------------------------------------------------------------


def read_idx(path: Path) -> Tensor:
    """The bytes of a gzipped IDX file. Header: 0, 0, type (8 = unsigned byte), rank, then big-endian dimensions."""
    data = gzip.decompress(path.read_bytes())
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, offset=4)
    pixels = np.frombuffer(data, np.uint8, offset=4 + 4 * rank)
    return torch.from_numpy(pixels.reshape(shape).copy())


def load_split(folder: Path, prefix: str) -> tuple[Tensor, Tensor]:
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
    return images.unsqueeze(1), labels.long()


def normalise(pixels: Tensor) -> Tensor:
    return (pixels.float() * SCALE - MEAN) / STD


def augment(pixels: Tensor) -> Tensor:
    """Shifts each image by up to MAX_SHIFT pixels (black moves in) and mirrors every second one, on average."""
    count = len(pixels)
    padded = F.pad(pixels, [MAX_SHIFT] * 4)
    top, left = torch.randint(0, 2 * MAX_SHIFT + 1, (2, count, 1))
    rows = top + torch.arange(SIZE)
    columns = left + torch.arange(SIZE)
    columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
    shifted = padded[torch.arange(count).view(-1, 1, 1), 0, rows.unsqueeze(2), columns.unsqueeze(1)]
    return shifted.unsqueeze(1)


# --- Networks ----------------------------------------------------------------------------------------------------------


class ConvBn(nn.Module):
    """A convolution with "same" padding (for stride 1) and its batch normalisation, which makes a bias superfluous."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Chain(nn.Module):
    """Applies named layers in order. nn.Sequential would do, but spoils the node names of the exported graph."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = layer(x)
        return x


def plain_cnn() -> nn.Module:
    """Convolutions of 5x5, 3x3 and stride 2, max pooling, and two fully connected layers."""
    return Chain(
        conv1=ConvBn(1, 16, 5), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),  # 14x14
        conv2=ConvBn(16, 32, 3), relu2=nn.ReLU(),
        conv3=ConvBn(32, 48, 3, stride=2), relu3=nn.ReLU(),  # 7x7
        conv4=ConvBn(48, 64, 3), relu4=nn.ReLU(), pool4=nn.MaxPool2d(2),  # 3x3: the last row and column are dropped
        flatten=nn.Flatten(), fc5=nn.Linear(64 * 3 * 3, 64), relu5=nn.ReLU(),
        dropout=nn.Dropout(0.2), fc6=nn.Linear(64, CLASSES),
    )  # fmt: skip


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = ConvBn(inputs, outputs, 3, stride)
        self.relu = nn.ReLU()
        self.second = ConvBn(outputs, outputs, 3)
        same_shape = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same_shape else ConvBn(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.relu(self.first(x))) + self.shortcut(x))


def residual_net() -> nn.Module:
    return Chain(
        stem=ConvBn(1, 16, 3), relu=nn.ReLU(),
        block1=ResidualBlock(16, 24, stride=2),  # 14x14
        block2=ResidualBlock(24, 40, stride=2),  # 7x7
        block3=ResidualBlock(40, 40),
        block4=ResidualBlock(40, 64, stride=2),  # 4x4
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(64, CLASSES),
    )  # fmt: skip


class SqueezeExcite(nn.Module):
    """Weighs each channel by a number from 0 to 1 that is computed from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // 4
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.excite = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.excite(self.relu(self.squeeze(self.pool(x)))))


class InvertedResidual(nn.Module):
    """The MobileNetV3 block: 1x1 expansion, depthwise convolution, optional squeeze-excite, linear 1x1 projection."""

    def __init__(self, inputs: int, expanded: int, outputs: int, kernel: int, stride: int = 1,
                 activation: type[nn.Module] = nn.Hardswish, squeeze_excite: bool = True) -> None:  # fmt: skip
        super().__init__()
        layers: dict[str, nn.Module] = {}
        if expanded != inputs:
            layers |= {"expand": ConvBn(inputs, expanded, 1), "expand_act": activation()}
        layers |= {"depthwise": ConvBn(expanded, expanded, kernel, stride, groups=expanded), "act": activation()}
        if squeeze_excite:
            layers["se"] = SqueezeExcite(expanded)
        layers["project"] = ConvBn(expanded, outputs, 1)
        self.body = Chain(**layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def mobile_net() -> nn.Module:
    return Chain(
        stem=ConvBn(1, 12, 3), act=nn.Hardswish(),
        block1=InvertedResidual(12, 12, 24, 3, stride=2, activation=nn.ReLU, squeeze_excite=False),  # 14x14
        block2=InvertedResidual(24, 64, 24, 3, activation=nn.ReLU, squeeze_excite=False),
        block3=InvertedResidual(24, 72, 40, 5, stride=2),  # 7x7
        block4=InvertedResidual(40, 120, 40, 3),
        block5=InvertedResidual(40, 120, 40, 5),
        head=ConvBn(40, 128, 1), head_act=nn.Hardswish(),
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(128, CLASSES),
    )  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    build: Callable[[], nn.Module]
    epochs: int
    opset: int
    keep_batch_norm: bool  # explicit BatchNormalization nodes in the file, or folded into the convolutions by PyTorch


# The opsets and the treatment of batch normalisation differ on purpose: an importer meets both. HardSwish is one node
# from opset 14 on.
RECIPES = {
    "cnn": Recipe(plain_cnn, epochs=14, opset=13, keep_batch_norm=True),
    "resnet": Recipe(residual_net, epochs=12, opset=13, keep_batch_norm=False),
    "mobile": Recipe(mobile_net, epochs=10, opset=16, keep_batch_norm=True),
}


# --- Training ----------------------------------------------------------------------------------------------------------


def count_macs(model: nn.Module) -> int:
    """Multiply-accumulates of the convolutions and fully connected layers for one image."""
    macs = 0

    def add_layer(layer: nn.Module, _inputs: tuple, output: Tensor) -> None:
        nonlocal macs
        macs += layer.weight[0].numel() * output.numel()

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(add_layer) for layer in layers]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, 1, SIZE, SIZE))
    for hook in hooks:
        hook.remove()
    return macs


@torch.no_grad()
def count_correct(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    model.eval()
    batches = zip(images.split(500), labels.split(500))
    return sum(int((model(normalise(x)).argmax(1) == y).sum()) for x, y in batches)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay applies to the weights of convolutions and fully connected layers, not to biases or scales."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def train(model: nn.Module, train_set: tuple[Tensor, Tensor], test_set: tuple[Tensor, Tensor], epochs: int,
          batch: int, learning_rate: float) -> None:  # fmt: skip
    images, labels = train_set
    steps = len(images) // batch  # the remainder is left out, a different one in each epoch
    optimizer = torch.optim.SGD(decay_groups(model, 5e-4), lr=learning_rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=epochs * steps, pct_start=0.2)
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        model.train()
        order = torch.randperm(len(images))
        loss_sum = 0.0
        for step in range(steps):
            picked = order[step * batch : (step + 1) * batch]
            logits = model(normalise(augment(images[picked])).contiguous(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels[picked], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item()
        accuracy = count_correct(model, *test_set) / len(test_set[0])
        seconds = time.monotonic() - start
        print(f"epoch {epoch:2}/{epochs}  loss {loss_sum / steps:.4f}  test {accuracy:.2%}  {seconds:.0f} s", flush=True)


def export(model: nn.Module, path: Path, recipe: Recipe) -> None:
    model.eval()
    # PRESERVE leaves the model in evaluation mode, as it is, but skips the exporter's fusion of batch normalisation.
    mode = torch.onnx.TrainingMode.PRESERVE if recipe.keep_batch_norm else torch.onnx.TrainingMode.EVAL
    torch.onnx.export(model.to(memory_format=torch.contiguous_format), torch.zeros(1, 1, SIZE, SIZE), str(path),
                      opset_version=recipe.opset, training=mode, do_constant_folding=not recipe.keep_batch_norm,
                      input_names=["input"], output_names=["logits"])  # fmt: skip


def make_network(name: str, args: argparse.Namespace) -> None:
    recipe = RECIPES[name]
    epochs = args.epochs or recipe.epochs
    torch.manual_seed(args.seed)
    model = recipe.build().to(memory_format=torch.channels_last)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"== fmnist_{name}: {parameters:,} parameters, {count_macs(model):,} MACs per image")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, 1 thread")
    print(f"seed {args.seed}, {epochs} epochs, batch {args.batch}, peak learning rate {args.lr}", flush=True)

    train_set, test_set = load_split(args.data, "train"), load_split(args.data, "t10k")
    train(model, train_set, test_set, epochs, args.batch, args.lr)

    path = args.out / f"fmnist_{name}.onnx"
    export(model, path, recipe)
    correct, total = count_correct(model, *test_set), len(test_set[0])
    batch_norm = "explicit" if recipe.keep_batch_norm else "folded"
    print(f"{path.name}: {path.stat().st_size:,} bytes, opset {recipe.opset}, batch normalisation {batch_norm}")
    print(f"final test accuracy: {correct}/{total} = {correct / total:.2%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the Fashion-MNIST test networks and export them to ONNX.")
    parser.add_argument("--net", choices=[*RECIPES, "all"], default="all")
    parser.add_argument("--epochs", type=int, help="default: the network's own number, see RECIPES")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=0.1, help="peak learning rate [%(default)s]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"),
                        help="folder of the four IDX .gz files [%(default)s]")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the .onnx files")
    args = parser.parse_args()

    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in RECIPES if args.net == "all" else [args.net]:
        make_network(name, args)


if __name__ == "__main__":
    main()
