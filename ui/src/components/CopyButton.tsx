import { Button } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";

/** Copies a text, and says that it did. Browsers allow it on HTTPS and on loopback only. */
export function CopyButton({ text }: { text: string }) {
  const clipboard = useClipboard({ timeout: 2_000 });
  if (!window.isSecureContext) return null;
  return (
    <Button
      size="compact-xs"
      variant="default"
      onClick={() => {
        clipboard.copy(text);
      }}
    >
      <span aria-live="polite">{clipboard.copied ? "Copied" : "Copy"}</span>
    </Button>
  );
}
