/** A path as it was meant: file managers copy it with quotes. */
export function plainPath(typed: string): string {
  return typed.trim().replace(/^["']|["']$/g, '');
}

/** Where a path is typed, and the button that hands its form in. Named by a label for `id`, or by `aria-label`. */
export function PathInput({
  value,
  onChange,
  submit,
  ...named
}: {
  value: string;
  onChange(typed: string): void;
  placeholder: string;
  submit: React.ReactNode;
  id?: string;
  'aria-label'?: string;
}) {
  return (
    <>
      <input
        className="text"
        spellCheck={false}
        {...named}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      <button type="submit" className="button quiet" disabled={value.trim() === ''}>
        {submit}
      </button>
    </>
  );
}
