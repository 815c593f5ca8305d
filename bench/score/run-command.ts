import { asImpastoError } from '../../contract/errors.ts';
import { type ScoreFlags, scoreFlags } from './score-flags.ts';

/** Runs a score by the command line's flags; the process exits with what it returns, or with 2 after an error. */
export async function runCommand(command: (flags: ScoreFlags) => Promise<number>): Promise<void> {
  try {
    process.exitCode = await command(scoreFlags(process.argv.slice(2)));
  } catch (thrown) {
    const error = asImpastoError(thrown);
    console.error(`\n${error.message}\n${error.remedy}\n(${error.code})`);
    if (error.code === 'INTERNAL') console.error(error.cause ?? error);
    process.exitCode = 2;
  }
}
