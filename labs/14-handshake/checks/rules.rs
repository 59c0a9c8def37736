//! The lines that the handout's table gives for the segments of real connections.

use std::net::SocketAddrV4;

use crate::segments::{ACK, FIN, RST, SYN, Segment, again};

/// A connection as the table knows it.
struct Known {
    client: SocketAddrV4,
    server: SocketAddrV4,
    client_syn: u32,
    server_syn: Option<u32>,
    complete: bool,
    fins: Vec<SocketAddrV4>,
}

/// The lines for these frames, which the kernel has made.
pub fn lines_for(frames: &[Vec<u8>]) -> Vec<String> {
    let mut known = Vec::new();
    frames.iter().filter_map(|frame| line_for(&mut known, &Segment::read(frame)?)).collect()
}

fn line_for(known: &mut Vec<Known>, segment: &Segment) -> Option<String> {
    let ends = [segment.from, segment.to];
    let place = known.iter().position(|known| ends == [known.client, known.server] || ends == [known.server, known.client]);
    if segment.has(RST) {
        known.remove(place?);
        return Some(segment.line("RST"));
    }
    if segment.has(SYN) && !segment.has(ACK) {
        if place.is_some_and(|place| known[place].client == segment.from && known[place].client_syn == segment.sequence) {
            return Some(again(&segment.line("SYN")));
        }
        if let Some(place) = place {
            known.remove(place);
        }
        let (client, server, client_syn) = (segment.from, segment.to, segment.sequence);
        known.push(Known { client, server, client_syn, server_syn: None, complete: false, fins: Vec::new() });
        return Some(segment.line("SYN"));
    }
    let connection = &mut known[place?];
    let from_client = segment.from == connection.client;
    let first_of_client = connection.client_syn.wrapping_add(1);
    let first_of_server = connection.server_syn.map(|number| number.wrapping_add(1));
    if segment.has(SYN) {
        if from_client || segment.acknowledgment != first_of_client {
            return None;
        }
        let before = connection.server_syn.replace(segment.sequence);
        let line = segment.line("SYN-ACK");
        return Some(if before == Some(segment.sequence) { again(&line) } else { line });
    }
    if segment.has(FIN) {
        let first = if from_client { first_of_client } else { first_of_server? };
        let line = segment.fin_line(segment.sequence.wrapping_add(segment.data as u32).wrapping_sub(first));
        let before = connection.fins.contains(&segment.from);
        connection.fins.push(segment.from);
        return Some(if before { again(&line) } else { line });
    }
    let numbers = segment.sequence == first_of_client && Some(segment.acknowledgment) == first_of_server;
    if !from_client || !segment.has(ACK) || !numbers || connection.complete {
        return None;
    }
    connection.complete = true;
    Some(segment.line("ACK"))
}
