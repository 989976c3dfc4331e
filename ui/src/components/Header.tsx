import { ActionIcon, useMantineColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";

import type { Status } from "../api/types.ts";
import { useLive } from "../state/live.ts";
import { hrefTo, type Page, PAGES, type Route } from "../state/route.ts";
import styles from "./Header.module.css";
import { BellIcon, MoonIcon, SunIcon, SystemIcon } from "./icons.tsx";

const TITLES: Record<Page, string> = {
  alerts: "Alerts",
  incidents: "Incidents",
  objectives: "Objectives",
  oncall: "On call",
  review: "Review",
  traces: "Traces",
  logs: "Logs",
  inbox: "Inbox",
  silences: "Silences",
  targets: "Targets",
};

interface Props {
  route: Route;
  counts: Status["counts"] | undefined;
}

export function Header({ route, counts }: Props) {
  const nav = useRef<HTMLElement>(null);
  const { page: current } = route;
  useEffect(() => {
    // On a phone the names are pushed about: where one is stands in the middle.
    const link = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (!nav.current || !link) return;
    nav.current.scrollLeft = link.offsetLeft + (link.offsetWidth - nav.current.clientWidth) / 2;
  }, [current]);
  return (
    <header className={styles.header}>
      <div className={styles.inner}>
        <a className={styles.name} href={hrefTo("alerts")}>
          <BellIcon />
          Firebell
        </a>
        <nav ref={nav} className={styles.nav} aria-label="Pages">
          {PAGES.map((page) => (
            <a
              key={page}
              href={hrefTo(page)}
              className={styles.link}
              aria-current={page === current ? "page" : undefined}
            >
              {TITLES[page]}
              <Figure page={page} counts={counts} />
            </a>
          ))}
        </nav>
        <div className={styles.tools}>
          <LiveMark />
          <SchemeToggle />
        </div>
      </div>
    </header>
  );
}

/** The figure beside a page's name, where there is one worth knowing without going there. */
function Figure({ page, counts }: { page: Page; counts: Status["counts"] | undefined }) {
  if (counts === undefined) return null;
  if (page === "alerts" && counts.alertsFiring > 0) {
    return (
      <span className={styles.figure} data-state="firing">
        {counts.alertsFiring}
        <span className="sr-only"> firing</span>
      </span>
    );
  }
  const down = counts.targets - counts.targetsUp;
  if (page === "targets" && down > 0) {
    return (
      <span className={styles.figure}>
        {down}
        <span aria-hidden="true">↓</span>
        <span className="sr-only"> down</span>
      </span>
    );
  }
  return null;
}

const LIVE_WORDS = {
  live: ["Live", "Changes show at once"],
  connecting: ["Connecting", "Waiting for Firebell"],
  paused: ["Paused", "Updates pause while this tab is hidden"],
  lost: ["Offline", "The connection to Firebell is lost"],
} as const;

function LiveMark() {
  const { state } = useLive();
  const [word, detail] = LIVE_WORDS[state];
  return (
    <span className={styles.live} data-live={state} title={detail} role="status">
      {word}
    </span>
  );
}

const SCHEMES = {
  auto: { next: "light", icon: <SystemIcon />, word: "follows the system" },
  light: { next: "dark", icon: <SunIcon />, word: "light" },
  dark: { next: "auto", icon: <MoonIcon />, word: "dark" },
} as const;

function SchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { next, icon, word } = SCHEMES[colorScheme];
  const label = `Colours: ${word}. Switch to: ${SCHEMES[next].word}`;
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(next)}
    >
      {icon}
    </ActionIcon>
  );
}
