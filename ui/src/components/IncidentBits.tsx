// The small parts that the list of incidents and the page of one share.
import { SegmentedControl } from "@mantine/core";

import type { Incident } from "../api/types.ts";
import { STATES } from "../state/incidents.ts";
import bits from "./AlertBits.module.css";
import styles from "./IncidentBits.module.css";

/** Where it stands; in words, as colours are for the states of alerts. */
export function IncidentState({ incident }: { incident: Incident }) {
  return (
    <strong className={styles.state} data-open={incident.isOpen}>
      {STATES[incident.state]}
    </strong>
  );
}

export function SeverityMark({ severity }: { severity: Incident["severity"] }) {
  return (
    <span className={bits.severity}>
      <span className="sr-only">severity </span>
      {severity}
    </span>
  );
}

interface ChoiceProps {
  severity: Incident["severity"];
  isDisabled?: boolean;
  onChange: (severity: Incident["severity"]) => void;
}

const SEVERITIES: Incident["severity"][] = ["sev1", "sev2", "sev3", "sev4"];

export function SeverityChoice({ severity, isDisabled = false, onChange }: ChoiceProps) {
  return (
    <div>
      <p className={styles.label} id="severity-choice">
        How bad
      </p>
      <SegmentedControl
        fullWidth
        size="xs"
        aria-labelledby="severity-choice"
        disabled={isDisabled}
        value={severity}
        onChange={onChange}
        data={SEVERITIES}
      />
    </div>
  );
}
