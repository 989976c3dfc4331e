// The frame around every page: where to go, whether what is shown is true, what runs underneath.
import { lazy, Suspense } from "react";

import { useStatus } from "./api/queries.ts";
import styles from "./app.module.css";
import { Banners } from "./components/Banners.tsx";
import { Boundary } from "./components/Boundary.tsx";
import { Footer } from "./components/Footer.tsx";
import { Header } from "./components/Header.tsx";
import { AlertsPage } from "./pages/AlertsPage.tsx";
import { useFavicon } from "./state/favicon.ts";
import { useLive } from "./state/live.ts";
import { type Route, useRoute } from "./state/route.ts";

const AlertPage = lazy(() => import("./pages/AlertPage.tsx"));
const InboxPage = lazy(() => import("./pages/InboxPage.tsx"));
const IncidentPage = lazy(() => import("./pages/IncidentPage.tsx"));
const IncidentsPage = lazy(() => import("./pages/IncidentsPage.tsx"));
const LogsPage = lazy(() => import("./pages/LogsPage.tsx"));
const ObjectivesPage = lazy(() => import("./pages/ObjectivesPage.tsx"));
const OncallPage = lazy(() => import("./pages/OncallPage.tsx"));
const ReviewPage = lazy(() => import("./pages/ReviewPage.tsx"));
const SilencesPage = lazy(() => import("./pages/SilencesPage.tsx"));
const TargetsPage = lazy(() => import("./pages/TargetsPage.tsx"));
const TracePage = lazy(() => import("./pages/TracePage.tsx"));
const TracesPage = lazy(() => import("./pages/TracesPage.tsx"));

export function App() {
  const route = useRoute();
  const status = useStatus();
  const live = useLive();
  useFavicon(status.data, live.state === "lost" || status.isError);
  return (
    <div className={styles.frame}>
      <a
        className={styles.skip}
        href="#main"
        onClick={(event) => {
          // The place of the page stands behind `#`, so this must not become one.
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <Header route={route} counts={status.data?.counts} />
      <main id="main" tabIndex={-1} className={styles.main}>
        <Banners status={status} />
        <Boundary key={`${route.page}/${route.id ?? ""}`}>
          <Suspense fallback={null}>
            <CurrentPage route={route} />
          </Suspense>
        </Boundary>
      </main>
      <Footer status={status.data} />
    </div>
  );
}

function CurrentPage({ route }: { route: Route }) {
  if (route.page === "alerts") {
    if (route.id === null) return <AlertsPage params={route.params} />;
    return <AlertPage fingerprint={route.id} />;
  }
  if (route.page === "incidents") {
    if (route.id === null) return <IncidentsPage params={route.params} />;
    return <IncidentPage key={route.id} id={route.id} />;
  }
  if (route.page === "objectives") return <ObjectivesPage />;
  if (route.page === "inbox") return <InboxPage params={route.params} openId={route.id} />;
  if (route.page === "oncall") return <OncallPage asked={route.id} />;
  if (route.page === "review") return <ReviewPage params={route.params} />;
  if (route.page === "traces") {
    if (route.id === null) return <TracesPage params={route.params} />;
    return <TracePage key={route.id} id={route.id} spanId={route.params.get("span")} />;
  }
  if (route.page === "logs") return <LogsPage params={route.params} />;
  if (route.page === "targets") return <TargetsPage />;
  return <SilencesPage asked={route.id === "new" ? (route.params.get("filter") ?? "") : null} />;
}
