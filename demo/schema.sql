-- A small business: what FairEdge's guide asks to have watched.
create schema auth;
create schema audit;
create table opportunities (id serial primary key, sport text not null, expected_value numeric not null, refreshed_at timestamptz not null default now());
create table subscriptions (id serial primary key, plan text not null, status text not null check (status in ('active', 'churned')));
create table auth.users (id serial primary key, email text not null, role text not null);
create table audit.user_role_changes (id serial primary key, user_id int not null, old_role text, new_role text not null, created_at timestamptz not null default now());
create table api_usage (tier text primary key, calls int not null, call_limit int not null);

insert into opportunities (sport, expected_value) select (array['football', 'tennis', 'hockey'])[1 + i % 3], (i * 37 % 100) / 1000.0 from generate_series(1, 14) i;
insert into subscriptions (plan, status) select (array['basic', 'pro'])[1 + i % 2], case when i % 7 = 0 then 'churned' else 'active' end from generate_series(1, 60) i;
insert into auth.users (email, role) select 'user' || i || '@example.com', case when i % 20 = 0 then 'admin' when i % 3 = 0 then 'subscriber' else 'free' end from generate_series(1, 80) i;
insert into audit.user_role_changes (user_id, old_role, new_role) values (3, 'free', 'subscriber'), (20, 'subscriber', 'admin');
insert into api_usage values ('free', 410, 1000), ('basic', 5200, 10000), ('pro', 61000, 100000);
