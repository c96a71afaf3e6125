/** A template's text. */
import { visible } from '../format.ts';

/** `<*>` stands back, the words stand out. */
export function TemplateText({ text }: { text: string }) {
  return (
    <>
      {visible(text)
        .split(/(<\*>)/)
        .map((part, index) => (part === '<*>' ? <i key={index}>{part}</i> : part))}
    </>
  );
}
