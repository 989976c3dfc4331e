import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";

import { Notice } from "./Notice.tsx";

interface Props {
  children: ReactNode;
}

/** Catches what a page throws, so that the frame and the way to other pages stay. */
export class Boundary extends Component<Props, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Notice kind="bad" title="This page cannot be shown">
        <p>
          <code>{error.message}</code>
        </p>
        <p>Firebell goes on working. If it was updated just now, reloading helps.</p>
        <Button size="compact-sm" variant="default" onClick={() => window.location.reload()}>
          Reload
        </Button>
      </Notice>
    );
  }
}
