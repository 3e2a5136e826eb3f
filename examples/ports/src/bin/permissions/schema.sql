-- Who is in which team, and what a team may do.
CREATE TABLE members (user INTEGER NOT NULL REFERENCES users, team TEXT NOT NULL, PRIMARY KEY (user, team));
CREATE TABLE grants (team TEXT NOT NULL, permission TEXT NOT NULL, PRIMARY KEY (team, permission));
INSERT INTO grants VALUES ('staff', 'protected.read'), ('board', 'restricted.read');
INSERT INTO members SELECT id, 'staff' FROM users;
INSERT INTO members SELECT id, 'board' FROM users WHERE name = 'admin';
