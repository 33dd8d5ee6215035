"""Ten steps of a method, the peer of bench/method-parity.bench.mjs: with lightly's heads, losses and averages, or in plain PyTorch
where lightly has no such method.

Arguments: folders with `settings.json`, `weights.safetensors` and `views.safetensors`. Prints the losses of each as JSON.
Weights have pathlab's names; views are `[batch, height, width, 3]`, classes and what MAE draws beside them.
"""

import copy
import json
import math
import sys
from functools import partial
from pathlib import Path

import timm
import torch
from lightly.loss import DINOLoss, NegativeCosineSimilarity, NTXentLoss
from lightly.models.modules.heads import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    DINOProjectionHead,
    MoCoProjectionHead,
    SimCLRProjectionHead,
)
from lightly.models.utils import batch_shuffle, batch_unshuffle, update_momentum
from lightly.utils.lars import LARS
from safetensors.torch import load_file
from timm.models.vision_transformer import Block
from torch import nn
from torch.nn.functional import cross_entropy, normalize


def under(prefix):
    return {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}


def fact(step, name):
    """Whole numbers that are kept as float32."""
    return views[f"{step}.{name}"].long()


def views_of(step):
    return [views[f"{step}.{view}"].permute(0, 3, 1, 2).contiguous() for view in range(settings["views"])]


def vit():
    sizes = settings["backbone"]
    network = timm.models.VisionTransformer(
        img_size=sizes["imageSize"],
        patch_size=sizes["patchSize"],
        embed_dim=sizes["width"],
        depth=sizes["depth"],
        num_heads=sizes["heads"],
        num_classes=0,
        dynamic_img_size=True,
    )
    network.load_state_dict(under("backbone."))
    return network


def fill(head, own):
    """pathlab numbers dense layers and batch norms, lightly all layers."""
    for kind, name in ((nn.Linear, "fc"), (nn.BatchNorm1d, "bn")):
        for number, layer in enumerate(layer for layer in head.layers if isinstance(layer, kind)):
            layer.weight.data = own[f"{name}{number}.weight"].clone()
            if layer.bias is not None and f"{name}{number}.bias" in own:
                layer.bias.data = own[f"{name}{number}.bias"].clone()
    return head


def without_last_bias(head):
    """As BYOL's authors have it, unlike lightly."""
    head.layers[-1].register_parameter("bias", None)
    return head


def average(models, copies, momentum):
    for model, slow in zip(models, copies):
        update_momentum(model, slow, m=momentum)


def rising(base, step):
    """To 1 by a cosine: the authors' schedule of BYOL's tau and of DINO's teacher."""
    return 1 - (1 - base) * (1 + math.cos(math.pi * step / steps)) / 2


def adamw(parameters, **options):
    """Vectors do not decay."""
    trained = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, **options)


def supervised():
    head = nn.Linear(settings["backbone"]["width"], len(weights["head.weights"]))
    head.load_state_dict({"weight": weights["head.weight"], "bias": weights["head.bias"]})
    network = nn.Sequential(vit(), head)
    optimizer = adamw(network.parameters())
    for step in range(steps):
        logits = network(views_of(step)[0])
        smoothing = options["labelSmoothing"]
        loss = cross_entropy(logits, fact(step, "labels"), weight=weights["head.weights"], label_smoothing=smoothing)
        yield loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings["clipNorm"])
        optimizer.step()


def simclr():
    head = fill(SimCLRProjectionHead(settings["backbone"]["width"], options["hiddenSize"], options["outputSize"]), under("head."))
    network = nn.Sequential(vit(), head)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    criterion = NTXentLoss(temperature=options["temperature"])
    for step in range(steps):
        first, second = network(torch.cat(views_of(step))).chunk(2)
        loss = criterion(first, second)
        yield loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class MlpWithNorm(nn.Module):
    """Of MoCo v3: lightly's has a batch norm behind its last layer too."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def forward(self, features):
        return self.layers(features)


def mocov2_in_groups():
    """Batch norm by groups, whose keys are dealt anew; the queue is one tensor, the newest keys in front."""
    groups = options["batchNormGroups"]
    head = MlpWithNorm(settings["backbone"]["width"], options["hiddenSize"], options["outputSize"])
    network = nn.Sequential(vit(), fill(head, under("head.")))
    slow = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=decay)
    queue = weights["queue"].clone()

    def encode(model, images):
        return normalize(torch.cat([model(group) for group in images.chunk(groups)]), dim=1)

    def deal(rows, piles):
        return rows.unflatten(0, (-1, piles)).transpose(0, 1).flatten(0, 1)

    for step in range(steps):
        first, second = views_of(step)
        queries = encode(network, first)
        with torch.no_grad():
            keys = deal(encode(slow, deal(second, groups)), len(second) // groups)
        logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ queue.T], 1) / options["temperature"]
        loss = cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))
        yield loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_momentum(network, slow, m=options["momentum"])
        queue = torch.cat([keys, queue])[: len(queue)]


def mocov2():
    if options["batchNormGroups"] > 1:
        yield from mocov2_in_groups()
        return
    head = MoCoProjectionHead(settings["backbone"]["width"], options["hiddenSize"], options["outputSize"], num_layers=2, batch_norm=False)
    network = nn.Sequential(vit(), fill(head, under("head.")))
    slow = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=decay)
    criterion = NTXentLoss(options["temperature"], memory_bank_size=(options["queueSize"], options["outputSize"]))
    # lightly overwrites its first rows first, pathlab drops its last.
    criterion.memory_bank.bank = weights["queue"].flip(0).clone()
    for step in range(steps):
        queries, keys = views_of(step)
        query = network(queries)
        update_momentum(network, slow, m=options["momentum"])
        with torch.no_grad():
            shuffled, order = batch_shuffle(keys)
            key = batch_unshuffle(slow(shuffled), order)
        loss = criterion(query, key)
        yield loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def byol():
    hidden, outputs = options["hiddenSize"], options["outputSize"]
    network = nn.Sequential(vit(), fill(without_last_bias(BYOLProjectionHead(settings["backbone"]["width"], hidden, outputs)), under("head.")))
    predictor = fill(without_last_bias(BYOLPredictionHead(outputs, hidden, outputs)), under("predictor."))
    target = copy.deepcopy(network)
    parameters = [*network.parameters(), *predictor.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = LARS(groups, lr=rate, momentum=0.9)
    criterion = NegativeCosineSimilarity()
    for step in range(steps):
        first, second = views_of(step)
        predictions = [predictor(network(first)), predictor(network(second))]
        with torch.no_grad():
            targets = [target(first), target(second)]
        # 2 - 2 cos of both directions.
        loss = 4 + 2 * (criterion(predictions[0], targets[1]) + criterion(predictions[1], targets[0]))
        yield loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update_momentum(network, target, m=rising(options["momentum"], step))


def dino():
    backbone, width = vit(), settings["backbone"]["width"]
    head = DINOProjectionHead(
        width,
        options["hiddenSize"],
        options["bottleneckSize"],
        options["outputSize"],
        batch_norm=False,
        freeze_last_layer=options["frozenEpochs"],
        norm_last_layer=True,
    )
    fill(head, under("head.mlp."))
    last = weights["head.last_layer.weight_v"]
    head.last_layer.weight_v.data = last.clone()
    models = [backbone, head]
    # Heads with weight_norm cannot be deep-copied.
    slow_head = DINOProjectionHead(
        width, options["hiddenSize"], options["bottleneckSize"], options["outputSize"], batch_norm=False
    )
    slow_head.load_state_dict(head.state_dict())
    teacher = [copy.deepcopy(backbone), slow_head]
    trained = [p for model in models for p in model.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim == 1]
    optimizer = torch.optim.AdamW([{"params": matrices}, {"params": others, "weight_decay": 0.0}], lr=rate)
    temperature = options["teacherTemperature"]
    criterion = DINOLoss(options["outputSize"], student_temp=options["studentTemperature"])
    criterion.center_momentum = options["centerMomentum"]
    for step in range(steps):
        epoch = step // settings["stepsPerEpoch"]
        risen = min(1, epoch / max(1, temperature["epochs"] - 1))
        final = settings["finalWeightDecay"]
        optimizer.param_groups[0]["weight_decay"] = final + (decay - final) * (1 + math.cos(math.pi * step / steps)) / 2
        images = views_of(step)
        with torch.no_grad():
            targets = [slow_head(teacher[0](view)) for view in images[:2]]
        outputs = [head(backbone(view)) for view in images]
        now = temperature["from"] + (temperature["to"] - temperature["from"]) * risen
        loss = criterion(targets, outputs, teacher_temp=now)
        yield loss
        optimizer.zero_grad()
        loss.backward()
        for parameter in trained:
            nn.utils.clip_grad_norm_([parameter], settings["clipNorm"])
        head.cancel_last_layer_gradients(epoch)
        optimizer.step()
        average(models, teacher, rising(options["momentum"], step))


class Mae(nn.Module):
    def __init__(self, width, depth, heads):
        super().__init__()
        sizes = settings["backbone"]
        pixels, patches = 3 * sizes["patchSize"] ** 2, (sizes["imageSize"] // sizes["patchSize"]) ** 2
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.decoder_embed = nn.Linear(sizes["width"], width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed = nn.Parameter(torch.zeros(1, 1 + patches, width), requires_grad=False)
        self.decoder_blocks = nn.Sequential(*[Block(width, heads, qkv_bias=True, norm_layer=norm) for _ in range(depth)])
        self.decoder_norm = norm(width)
        self.decoder_pred = nn.Linear(width, pixels)
        self.load_state_dict(under("decoder."))
        self.encoder = vit()
        self.encoder.pos_embed.requires_grad_(False)

    def forward(self, images, visible, places):
        """Predictions of all patches, from those that are visible; the order is that of pathlab's mask."""
        encoder = self.encoder
        patches = encoder.patch_embed(images).flatten(1, 2) + encoder.pos_embed[:, 1:]
        batch, count, width = patches.shape
        seen = patches.gather(1, visible.unsqueeze(2).expand(-1, -1, width))
        first = (encoder.cls_token + encoder.pos_embed[:, :1]).expand(batch, -1, -1)
        latent = self.decoder_embed(encoder.norm(encoder.blocks(torch.cat([first, seen], 1))))
        masked = self.mask_token.expand(batch, count - visible.shape[1], -1)
        tokens = torch.cat([latent[:, 1:], masked], 1)
        in_place = tokens.gather(1, places.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
        decoded = self.decoder_blocks(torch.cat([latent[:, :1], in_place], 1) + self.decoder_pos_embed)
        return self.decoder_pred(self.decoder_norm(decoded))[:, 1:]


def mae():
    network = Mae(**options["decoder"])
    optimizer = adamw(network.parameters(), betas=settings["betas"])
    side = settings["backbone"]["patchSize"]
    for step in range(steps):
        visible, places = fact(step, "visible"), fact(step, "places")
        predicted = network(views_of(step)[0], visible, places)
        in_patches = views[f"{step}.0"].unflatten(1, (-1, side)).unflatten(3, (-1, side))
        targets = in_patches.transpose(2, 3).flatten(1, 2).flatten(2)
        targets = (targets - targets.mean(2, keepdim=True)) / (targets.var(2, keepdim=True) + 1e-6).sqrt()
        mask = (places >= visible.shape[1]).float()
        loss = ((predicted - targets).square().mean(2) * mask).sum() / mask.sum()
        yield loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


METHODS = {"Supervised": supervised, "SimCLR": simclr, "MoCo v2": mocov2, "BYOL": byol, "DINO": dino, "MAE": mae}
torch.set_num_threads(2)
losses = []
for folder in map(Path, sys.argv[1:]):
    settings = json.loads((folder / "settings.json").read_text())
    weights, views = (load_file(folder / f"{name}.safetensors") for name in ("weights", "views"))
    options, steps, rate, decay = (settings[name] for name in ("options", "steps", "learningRate", "weightDecay"))
    losses.append([loss.item() for loss in METHODS[settings["method"]]()])
print(json.dumps(losses))
