"""Networks of timm and torchvision without their classifiers, by the names that pathlab's `backbone` takes."""

import timm
import torch
import torchvision

DILATED = {"replace_stride_with_dilation": [False, True, True]}
INCEPTION = {"aux_logits": False, "init_weights": False, "dropout": 0.0}


def network(name, **options):
    if name in ("resnet18", "resnet50"):
        return of_torchvision(name, **options)
    if name == "resnet50_dilated":
        return of_torchvision("resnet50", **DILATED)
    if name == "inception_v3":
        return of_torchvision(name, **{**INCEPTION, **options})
    if name in ("tf_efficientnet_b3", "efficientnet_lite0"):
        model = timm.create_model(f"tf_{name.removeprefix('tf_')}", num_classes=0)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # The authors'; timm has PyTorch's default.
                module.momentum = 0.01
        return model
    return timm.create_model(name, num_classes=0, **({"dynamic_img_size": True} if name.startswith("vit_") else {}))


def of_torchvision(name, **options):
    model = getattr(torchvision.models, name)(**options)
    model.fc = torch.nn.Identity()
    return model
