import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Graph } from '../onnx/graph.ts';
import { parseModel } from '../onnx/serialise.ts';
import { type AdaptableModule, findAdaptable } from './adaptable-modules.ts';
import { attentionPath } from './attention-nodes.ts';
import { nameModules } from './name-modules.ts';

/** An exported SD1 whose nodes are named, with the names taken away in several ways. */
const folder = resolve(import.meta.dirname, '../../fixtures/adapters/models/sd1-onnx');
const exported = async (part: string): Promise<Graph> => {
  const path = resolve(folder, part, 'model.onnx');
  return parseModel(await readFile(path), path);
};
const modulesOf = (graph: Graph): AdaptableModule[] => [...findAdaptable(graph, () => '').values()];
/** Which weight each module has: names may change, weights may not. */
const weights = (graph: Graph) => new Map(modulesOf(graph).map(({ path, node }) => [path, node.inputs[1]]));

function unname(graph: Graph): Graph {
  for (const node of graph.nodes) node.name = '';
  return graph;
}

/** Gives initializers names that tell nothing. */
function unnameWeights(graph: Graph): Graph {
  const names = new Map([...graph.initializers.keys()].map((name, index) => [name, `onnx::${index}`]));
  for (const node of graph.nodes) node.inputs = node.inputs.map((name) => names.get(name) ?? name);
  graph.initializers = new Map(
    [...graph.initializers].map(([name, value]) => [
      names.get(name) as string,
      { ...value, name: names.get(name) as string },
    ]),
  );
  return graph;
}

/** A projection's weight and another's change places, so that the graph runs them in another order. */
function swap(graph: Graph, first: string, second: string): Graph {
  const [a, b] = [first, second].map((name) => graph.nodes.findIndex((node) => node.name.endsWith(`${name}/MatMul`)));
  const [x, y] = [graph.nodes[a as number], graph.nodes[b as number]];
  if (!x || !y) throw new Error('no such projections');
  graph.nodes[a as number] = y;
  graph.nodes[b as number] = x;
  return graph;
}

describe.each(['unet', 'text_encoder'])('an export without names: %s', (part) => {
  it('is left alone where its nodes are named', async () => {
    const graph = await exported(part);
    const before = graph.nodes.map(({ name }) => name);
    nameModules(graph, () => modulesOf(structuredClone(graph)));
    expect(graph.nodes.map(({ name }) => name)).toEqual(before);
  });

  it('has every module found, by structure alone as well', async () => {
    const graph = await exported(part);
    const [modules, expected] = [modulesOf(graph), weights(graph)];
    const bare = unname(structuredClone(graph));
    nameModules(bare, () => modules);
    expect(weights(bare)).toEqual(expected);
    const nothing = unnameWeights(unname(structuredClone(graph)));
    nameModules(nothing, () => modules);
    expect([...weights(nothing).keys()]).toEqual([...expected.keys()]);
    const order = (of: Graph) => modulesOf(of).map(({ node }) => of.nodes.indexOf(node));
    expect(order(nothing)).toEqual(order(graph));
  });
});

it('finds the softmax of each attention of a UNet', async () => {
  const graph = await exported('unet');
  const places = (of: Graph) => of.nodes.map((node) => attentionPath(node, 'cross') ?? attentionPath(node, 'self'));
  const bare = unnameWeights(unname(structuredClone(graph)));
  nameModules(bare, () => modulesOf(graph));
  expect(places(bare)).toEqual(places(graph));
  expect(places(bare).filter((path) => path !== null).length).toBeGreaterThan(10);
});

it('tells queries, keys and values by what becomes of them, whatever their order', async () => {
  const graph = await exported('unet');
  const attention = 'mid_block/attentions.0/transformer_blocks.0/attn1/';
  const modules = modulesOf(graph);
  const expected = weights(graph);
  const swapped = unname(
    swap(swap(structuredClone(graph), `${attention}to_q`, `${attention}to_k`), `${attention}to_k`, `${attention}to_v`),
  );
  nameModules(swapped, () => modules);
  expect(Object.fromEntries(weights(swapped))).toEqual(Object.fromEntries(expected));
});

it('names what weights name, and nothing else, where the graph is built otherwise', async () => {
  const graph = await exported('unet');
  const modules = modulesOf(graph);
  const expected = weights(graph);
  const more = [...modules, { path: 'conv_out_2', kind: 'conv', in: 4, out: 4, kernel: [3, 3] } as const];
  const bare = unname(structuredClone(graph));
  nameModules(bare, () => more);
  const found = weights(bare);
  for (const [path, weight] of found) expect(expected.get(path)).toBe(weight);
  expect(found.has('mid_block.resnets.0.conv1')).toBe(true);
  expect(found.has('mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0')).toBe(true);
  expect(found.has('mid_block.attentions.0.transformer_blocks.0.attn1.to_q')).toBe(false);
  const nothing = unnameWeights(unname(structuredClone(graph)));
  nameModules(nothing, () => more);
  expect(weights(nothing).size).toBe(0);
});

it('does not take a graph for another of the same sizes whose weights say otherwise', async () => {
  const graph = await exported('unet');
  const modules = modulesOf(graph);
  const [a, b] = [0, 1].map((index) =>
    modules.findIndex(({ path }) => path === `down_blocks.0.resnets.${index}.conv2`),
  );
  const wrong = [...modules];
  wrong[a as number] = modules[b as number] as AdaptableModule;
  wrong[b as number] = modules[a as number] as AdaptableModule;
  const bare = unname(structuredClone(graph));
  nameModules(bare, () => wrong);
  expect(weights(bare).get('down_blocks.0.resnets.0.conv2')).toMatch(/down_blocks\.0\.resnets\.0\.conv2\.weight$/);
  expect(weights(bare).has('mid_block.attentions.0.transformer_blocks.0.attn1.to_q')).toBe(false);
});
