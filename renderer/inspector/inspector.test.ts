import { describe, expect, it } from 'vitest';
import { layerName } from '../../contract/adapter-tools.ts';
import { inOrder, inWords, meanEffectiveRank, partCounts, partOf } from './layer-order.ts';
import { besidePath, inFolder } from './saved-path.ts';

const unet = (module: string) => ({ network: 'unet' as const, module });

describe('layers', () => {
  it("lie in the order of the network, by kohya's names and by paths", () => {
    const layers = [
      unet('up_blocks_10_a'),
      unet('mid_block.attentions.0'),
      unet('up_blocks_2_a'),
      unet('conv_in'),
      { network: 'textEncoder' as const, module: 'text_model.encoder' },
      unet('down_blocks.0.a'),
    ];
    expect(inOrder(layers).map(layerName)).toEqual([
      'textEncoder.text_model.encoder',
      'unet.down_blocks.0.a',
      'unet.mid_block.attentions.0',
      'unet.up_blocks_2_a',
      'unet.up_blocks_10_a',
      'unet.conv_in',
    ]);
    expect(partCounts(layers)).toEqual([
      ['Text', 1],
      ['Down', 1],
      ['Middle', 1],
      ['Up', 2],
      ['Rest', 1],
    ]);
    expect(partOf(unet('time_embedding.linear_1'))).toBe('Rest');
  });

  it('count by their energy in the mean', () => {
    expect(
      meanEffectiveRank([
        { energy: 3, effectiveRank: 2 },
        { energy: 1, effectiveRank: 6 },
      ]),
    ).toBe(3);
    expect(meanEffectiveRank([])).toBe(0);
  });
});

it('says what a cosine means, by its sign too', () => {
  const said = [0, 0.2, -0.2, 0.5, -0.5, 0.99, -0.99].map(inWords);
  expect(new Set(said).size).toBe(7);
  expect(inWords(-0.01)).toBe(inWords(0.01));
});

describe('the file that is proposed', () => {
  it.each([
    ['/loras/ink.safetensors', 'rank8', '/loras/ink-rank8.safetensors'],
    ['C:\\loras\\Ink v1.2.SAFETENSORS', 'calm', 'C:\\loras\\Ink v1.2-calm.safetensors'],
    ['/a/b.safetensors', '../../x', '/a/b-..-..-x.safetensors'],
    ['/a/b.safetensors', ' ', '/a/b-new.safetensors'],
  ])('%s with %s', (path, suffix, expected) => {
    expect(besidePath(path, suffix)).toBe(expected);
  });

  it('goes to another folder by its name', () => {
    expect(inFolder('/a/b.safetensors', '/c/')).toBe('/c/b.safetensors');
    expect(inFolder('C:\\a\\b.safetensors', 'D:\\c')).toBe('D:\\c\\b.safetensors');
  });
});
