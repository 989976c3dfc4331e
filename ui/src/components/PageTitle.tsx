import { type ReactNode, useEffect, useRef } from "react";

import { useStatus } from "../api/queries.ts";

interface Props {
  /** Its name in the tab. */
  name: string;
  children?: ReactNode;
}

let isFirst = true;

/** The heading of a page: names the tab, and takes the focus when somebody comes from elsewhere. */
export function PageTitle({ name, children }: Props) {
  const firing = useStatus().data?.counts.alertsFiring ?? 0;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${firing > 0 ? `(${firing}) ` : ""}${name} · Firebell`;
  }, [firing, name]);
  useEffect(() => {
    if (!isFirst) {
      window.scrollTo(0, 0);
      heading.current?.focus({ preventScroll: true });
    }
    isFirst = false;
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children ?? name}
    </h1>
  );
}
