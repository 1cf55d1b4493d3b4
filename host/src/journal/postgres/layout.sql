-- Which layout the tables have, and from which one on a hookport may work with it; and the hosts that do now.

CREATE TABLE layout (version int NOT NULL, usable_from int NOT NULL, since timestamptz NOT NULL DEFAULT now());

-- A host's flights are its own for as long as it says that it lives. Leases go by the server's clock.
CREATE TABLE hosts (
    id uuid PRIMARY KEY, name text NOT NULL, started timestamptz NOT NULL DEFAULT now(), beat timestamptz NOT NULL DEFAULT now()
);
