// What people state of an incident: what users notice, what is hit, whether data is as it should be,
// and who does what. Each form begins with what was said last, and is that again once it is on disk.
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { type ReactNode, type SyntheticEvent, useState } from "react";

import { takesWork } from "../state/incidents.ts";
import {
  componentsAct,
  DATA_STATES,
  type DataState,
  dataAct,
  impactAct,
  type Role,
  roleAct,
  ROLES,
  usersIn,
} from "../state/known.ts";
import type { PartProps } from "./IncidentActs.tsx";
import styles from "./IncidentActs.module.css";

export function IncidentKnown(part: PartProps) {
  return (
    <>
      <Impact {...part} />
      <Components {...part} />
      <Data {...part} />
      {takesWork(part.incident) && <Roles {...part} />}
    </>
  );
}

interface StatementProps {
  name: string;
  button: string;
  isOff: boolean;
  onSubmit: () => void;
  children: ReactNode;
}

/** Fields of which a line may not have room for all, and the button behind them. */
function Statement({ name, button, isOff, onSubmit, children }: StatementProps) {
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (!isOff) onSubmit();
  };
  return (
    <form className={styles.statement} onSubmit={submit} aria-label={name}>
      {children}
      <Button type="submit" variant="default" disabled={isOff} aria-label={`${button}: ${name}`}>
        {button}
      </Button>
    </form>
  );
}

function Impact({ incident, isOff, act }: PartProps) {
  const [text, setText] = useState<string | null>(null);
  const [users, setUsers] = useState<string | null>(null);
  const said = incident.impact;
  const shownText = text ?? said?.text ?? "";
  const shownUsers = users ?? said?.users?.toString() ?? "";
  const wish = impactAct(shownText, shownUsers);
  const forget = (): void => {
    setText(null);
    setUsers(null);
  };
  return (
    <Statement
      name="What users notice"
      button="Say"
      isOff={isOff || wish === null}
      onSubmit={() => wish !== null && act(wish, forget)}
    >
      <TextInput
        className={styles.text}
        label="What users notice"
        value={shownText}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <TextInput
        className={styles.short}
        label="How many users"
        inputMode="numeric"
        error={usersIn(shownUsers) === undefined && "No number"}
        value={shownUsers}
        onChange={(event) => setUsers(event.currentTarget.value)}
      />
    </Statement>
  );
}

function Components({ incident, isOff, act }: PartProps) {
  const [text, setText] = useState<string | null>(null);
  const shown = text ?? incident.components.join(", ");
  return (
    <Statement
      name="What is hit"
      button="Set"
      isOff={isOff || text === null}
      onSubmit={() => act(componentsAct(shown), () => setText(null))}
    >
      <TextInput
        className={styles.text}
        label="What is hit"
        placeholder="checkout, cart"
        value={shown}
        onChange={(event) => setText(event.currentTarget.value)}
      />
    </Statement>
  );
}

function Data({ incident, isOff, act }: PartProps) {
  const [state, setState] = useState<DataState | null>(null);
  const [text, setText] = useState<string | null>(null);
  const shownState = state ?? incident.data?.state ?? "unknown";
  const shownText = text ?? incident.data?.text ?? "";
  const forget = (): void => {
    setState(null);
    setText(null);
  };
  return (
    <Statement
      name="Data"
      button="State"
      isOff={isOff || (state === null && text === null)}
      onSubmit={() => act(dataAct(shownState, shownText), forget)}
    >
      <NativeSelect
        className={styles.short}
        label="Data"
        data={DATA_STATES}
        value={shownState}
        onChange={(event) => setState(event.currentTarget.value as DataState)}
      />
      <TextInput
        className={styles.text}
        label="How that is known"
        value={shownText}
        onChange={(event) => setText(event.currentTarget.value)}
      />
    </Statement>
  );
}

function Roles({ incident, isOff, act }: PartProps) {
  const [role, setRole] = useState<Role>("commander");
  const [person, setPerson] = useState("");
  return (
    <div>
      <Statement
        name="Role"
        button="Give"
        isOff={isOff || person.trim() === ""}
        onSubmit={() => act(roleAct(role, person), () => setPerson(""))}
      >
        <NativeSelect
          className={styles.short}
          label="Role"
          data={ROLES}
          value={role}
          onChange={(event) => setRole(event.currentTarget.value as Role)}
        />
        <TextInput
          className={styles.text}
          label="Who has it"
          value={person}
          onChange={(event) => setPerson(event.currentTarget.value)}
        />
      </Statement>
      {incident.roles.length > 0 && (
        <ul className={styles.held} aria-label="Roles">
          {incident.roles.map((held) => (
            <li key={held.role} className={styles.line}>
              <span className={styles.text}>
                {labelOf(held.role)} {held.person}
              </span>
              <Button
                size="xs"
                variant="default"
                disabled={isOff}
                aria-label={`Take back: ${labelOf(held.role)}`}
                onClick={() => act(roleAct(held.role, null))}
              >
                Take back
              </Button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function labelOf(role: Role): string {
  return ROLES.find(({ value }) => value === role)?.label ?? role;
}
