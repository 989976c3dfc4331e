import type { Labels } from "../api/types.ts";
import { safeUrl } from "../state/format.ts";
import page from "../pages/page.module.css";
import styles from "./Annotations.module.css";

/** What is said about the alert, besides what has a place of its own on the page. */
export function Annotations({ annotations }: { annotations: Labels }) {
  const rest = Object.entries(annotations).filter(
    ([name]) => name !== "summary" && name !== "description",
  );
  if (rest.length === 0) return null;
  return (
    <section className={page.card} aria-labelledby="annotations">
      <h2 id="annotations">Annotations</h2>
      <dl className={styles.list}>
        {rest.map(([name, value]) => (
          <div key={name} className={styles.item}>
            <dt>{name}</dt>
            <dd>
              <MaybeLink text={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function MaybeLink({ text }: { text: string }) {
  const url = safeUrl(text);
  if (url === null) return text;
  return (
    <a href={url} target="_blank" rel="noreferrer">
      {text}
    </a>
  );
}
