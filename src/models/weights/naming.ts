/*
 * What other implementations call the tensors of the same networks. Names here are timm's and torchvision's, which are
 * pathlab's own (torchvision's ResNet and timm's are the same).
 */

/** Gives a file's name in timm's words; a name that it does not know stays. */
type Rename = (name: string, targets: readonly string[]) => string;

type Rule = readonly [pattern: RegExp, replacement: string];

const byRules =
  (rules: readonly Rule[]): Rename =>
  (name) =>
    rules.reduce((renamed, [pattern, replacement]) => renamed.replace(pattern, replacement), name);

/** Hugging Face's ViT (Phikon), DINOv2 and ViT-MAE, and DINOv2's own; `attn.query` and the like are joined later. */
const otherVits = byRules([
  [/embeddings\.cls_token$/, 'cls_token'],
  [/embeddings\.mask_token$/, 'mask_token'],
  [/embeddings\.position_embeddings$/, 'pos_embed'],
  [/(embeddings\.)?register_tokens$/, 'reg_token'],
  [/embeddings\.patch_embeddings\.projection\./, 'patch_embed.proj.'],
  [/encoder\.layer\.(\d+)\./, 'blocks.$1.'],
  [/attention\.attention\.(query|key|value)\./, 'attn.$1.'],
  [/attention\.output\.dense\./, 'attn.proj.'],
  [/intermediate\.dense\./, 'mlp.fc1.'],
  [/(blocks\.\d+\.)output\.dense\./, '$1mlp.fc2.'],
  [/layernorm_before\./, 'norm1.'],
  [/layernorm_after\./, 'norm2.'],
  [/(^|\.)layernorm\./, '$1norm.'],
  [/layer_scale([12])\.lambda1$/, 'ls$1.gamma'],
  [/mlp\.(w12|weights_in)\./, 'mlp.fc1.'],
  [/mlp\.(w3|weights_out)\./, 'mlp.fc2.'],
]);

const torchvisionVit = byRules([
  [/class_token$/, 'cls_token'],
  [/encoder\.pos_embedding$/, 'pos_embed'],
  [/conv_proj\./, 'patch_embed.proj.'],
  [/encoder\.layers\.encoder_layer_(\d+)\./, 'blocks.$1.'],
  [/ln_([12])\./, 'norm$1.'],
  [/self_attention\.in_proj_(weight|bias)$/, 'attn.qkv.$1'],
  [/self_attention\.out_proj\./, 'attn.proj.'],
  [/mlp\.(0|linear_1)\./, 'mlp.fc1.'],
  [/mlp\.(3|linear_2)\./, 'mlp.fc2.'],
  [/encoder\.ln\./, 'norm.'],
  [/heads\.head\./, 'head.'],
]);

/** A ResNet as `nn.Sequential(*list(resnet.children())[:-1])`, as in lightly's examples. */
const sequentialResnet = byRules([
  [/(?<!downsample)(^|\.)0\.weight$/, '$1conv1.weight'],
  [/(?<!downsample)(^|\.)1\.(weight|bias|running_mean|running_var)$/, '$1bn1.$2'],
  ...[1, 2, 3, 4].map(
    (layer): Rule => [new RegExp(`(^|\\.)${layer + 3}\\.(\\d+\\.(?:conv|bn|down))`), `$1layer${layer}.$2`],
  ),
]);

/** lukemelas' EfficientNet, which counts blocks through; blocks that do not expand have one convolution less. */
const flatEfficientnet: Rename = (name, targets) => {
  const [, before, number, rest] = /^(.*?)_blocks\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (number === undefined) {
    return byRules([
      [/_conv_(stem|head)\./, 'conv_$1.'],
      [/_bn1\./, 'bn2.'],
      [/_bn0\./, 'bn1.'],
      [/_fc\./, 'classifier.'],
    ])(name, targets);
  }
  const blocks = [...new Set(targets.map((target) => /^blocks\.\d+\.\d+\./.exec(target)?.[0]))].filter(
    (block): block is string => block !== undefined,
  );
  const block = blocks[Number(number)] ?? `blocks.?.${number}.`;
  const expands = targets.includes(`${block}conv_pwl.weight`);
  const inner = byRules([
    [/^_expand_conv\./, 'conv_pw.'],
    [/^_depthwise_conv\./, 'conv_dw.'],
    [/^_project_conv\./, expands ? 'conv_pwl.' : 'conv_pw.'],
    [/^_se_(reduce|expand)\./, 'se.conv_$1.'],
    ...(expands ? [2, 1, 0] : [2, 1]).map(
      (norm): Rule => [new RegExp(`^_bn${norm}\\.`), `bn${expands ? norm + 1 : norm}.`],
    ),
  ])(rest!, targets);
  return `${before}${block}${inner}`;
};

/** BiT's own archives: `resnet/block1/unit01/a/standardized_conv2d/kernel`. */
const bigTransfer: Rename = (name) => {
  const place = (letter: string) => 'abc'.indexOf(letter) + 1;
  const part = name.replace(/^resnet\//, '');
  const [, stage, unit, rest] = /^block(\d)\/unit(\d+)\/(.*)$/.exec(part) ?? [];
  const block = stage && `stages.${Number(stage) - 1}.blocks.${Number(unit) - 1}.`;
  const [, letter, ofNorm] =
    /^([abc])\/(?:group_norm\/(gamma|beta)|standardized_conv2d\/kernel)$/.exec(rest ?? '') ?? [];
  const norm = { gamma: 'weight', beta: 'bias' } as Record<string, string>;
  if (letter) return ofNorm ? `${block}norm${place(letter)}.${norm[ofNorm]}` : `${block}conv${place(letter)}.weight`;
  if (rest === 'a/proj/standardized_conv2d/kernel') return `${block}downsample.conv.weight`;
  const [, last] = /^group_norm\/(gamma|beta)$/.exec(part) ?? [];
  if (last) return `norm.${norm[last]}`;
  if (part === 'root_block/standardized_conv2d/kernel') return 'stem.conv.weight';
  if (part === 'head/conv2d/kernel') return 'head.fc.weight';
  return part === 'head/conv2d/bias' ? 'head.fc.bias' : name;
};

/** All that is known, the plainest first. */
const namings: Readonly<Record<string, Rename>> = {
  'timm and torchvision': (name) => name,
  'Hugging Face and DINOv2': otherVits,
  "torchvision's ViT": torchvisionVit,
  'a sequence of layers': sequentialResnet,
  "lukemelas' EfficientNet": flatEfficientnet,
  "BiT's archives": bigTransfer,
};

/** Of networks that a checkpoint holds twice, which one its authors evaluate. */
const preferred = [/(^|\.)teacher\./, /(^|\.)encoder_q\./, /(^|\.)base_encoder\./, /(^|\.)net_online\./];

/** How a file's names were understood. */
export interface ResolvedNames {
  naming: string;
  /** What stands before the network's own names. */
  prefix: string;
  /** The file's name of each of the network's tensors and of what else stands behind the prefix, by timm's name. */
  names: Map<string, string>;
}

/**
 * Finds the naming and the prefix under which most of a network's tensors are in a file.
 *
 * @param given the file's names
 * @param targets the network's names, in order
 * @param prefix if the caller knows it
 * @throws Error for names of which no half is the network's, or which hold it several times
 */
export function resolveNames(given: readonly string[], targets: readonly string[], prefix?: string): ResolvedNames {
  const wanted = new Set(targets);
  const found = Object.entries(namings).flatMap(([naming, rename]) => {
    const renamed = given.map((name) => [joinedName(rename(name, targets)), name] as const);
    const counts = new Map<string, number>();
    for (const start of new Set(renamed.flatMap(([name]) => prefixesOf(name, wanted)))) {
      if (prefix !== undefined && start !== prefix) continue;
      counts.set(
        start,
        new Set(
          renamed.flatMap(([name]) => (name.startsWith(start) && wanted.has(name.slice(start.length)) ? [name] : [])),
        ).size,
      );
    }
    return [...counts].map(([start, count]) => ({ naming, prefix: start, count, renamed }));
  });
  const highest = found.reduce((highest, { count }) => Math.max(highest, count), 0);
  if (highest < targets.length / 2) {
    throw new Error(
      `its tensor names match the network in no known naming (${Object.keys(namings).join(', ')})` +
        `${prefix === undefined ? '' : ` behind "${prefix}"`}: it has ${listed(given, 5)}`,
    );
  }
  const best = found.filter(({ count }) => count === highest);
  const naming = best.filter((each) => each.naming === best[0]!.naming);
  const choices =
    naming.length > 1 ? naming.filter((each) => preferred.some((pattern) => pattern.test(each.prefix))) : naming;
  if (choices.length !== 1) {
    const prefixes = naming.map((each) => `"${each.prefix}"`).join(', ');
    throw new Error(`it contains the network ${naming.length} times; choose one with the option prefix: ${prefixes}`);
  }
  const { renamed, ...rest } = choices[0]!;
  const inside = renamed.filter(([name]) => name.startsWith(rest.prefix));
  return { ...rest, names: new Map(inside.map(([name, original]) => [name.slice(rest.prefix.length), original])) };
}

/** Names for an error: the first ones, and how many more there are. */
export function listed(names: readonly string[], maxNames = 10): string {
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : '';
  return `${names.slice(0, maxNames).join(', ')}${more}`;
}

/** Queries stand for all three parts, which are put together when they are read. */
function joinedName(name: string): string {
  return name.replace(/attn\.query\.(weight|bias)$/, 'attn.qkv.$1');
}

/** What may stand before the network's names in a name. */
function prefixesOf(name: string, wanted: ReadonlySet<string>): string[] {
  const prefixes: string[] = [];
  for (let begin = 0; begin >= 0; begin = name.indexOf('.', begin) + 1 || -1) {
    if (wanted.has(name.slice(begin))) prefixes.push(name.slice(0, begin));
  }
  return prefixes;
}
