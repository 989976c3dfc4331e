import type { NextStep } from "../api/types.ts";
import { CopyButton } from "./CopyButton.tsx";
import styles from "./NextSteps.module.css";

/** What to do next, in order: the page of a Firebell that nothing was set up in yet. */
export function NextSteps({ steps }: { steps: NextStep[] }) {
  return (
    <section className={styles.steps} aria-labelledby="next-steps">
      <h2 id="next-steps">Firebell runs. It has nothing to watch yet.</h2>
      <ol>
        {steps.map((step, idx) => (
          <li key={step.title} className={styles.step}>
            <span className={styles.number} aria-hidden="true">
              {idx + 1}
            </span>
            <div className={styles.text}>
              <h3>{step.title}</h3>
              <p>{step.detail}</p>
              {step.command !== undefined && (
                <div className={styles.command}>
                  <pre tabIndex={0}>{step.command}</pre>
                  <CopyButton text={step.command} />
                </div>
              )}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
