import { asImpastoError } from '../../contract/errors.ts';
import { serve } from './serve-command.ts';

try {
  await serve(process.argv.slice(2));
} catch (thrown) {
  const { message, remedy } = asImpastoError(thrown);
  console.error(`${message}\n${remedy}`);
  process.exitCode = 1;
}
