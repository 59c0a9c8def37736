//! A network as text, for a terminal.

use super::Plan;

/// Columns of a router: its address and a gap.
const ROUTER: usize = 17;
/// Columns between two hosts.
const GAP: usize = 3;

/// The picture, with a line end behind each line.
#[must_use]
pub fn draw(plan: &Plan) -> String {
    let label = plan.lans.iter().map(|lan| lan.name.len() + lan.range.len() + 2).max().unwrap_or(0) + 2;
    let host = plan.lans.iter().flat_map(|lan| &lan.hosts).map(|(name, address)| name.len().max(address.len())).max().unwrap_or(0) + GAP;
    let routers = label + plan.widest * host + GAP;
    let mut canvas = Canvas { lines: vec![plan.title.chars().collect(), Vec::new()] };
    let rows: Vec<usize> = (0..plan.lans.len()).map(|lan| 2 + lan * 5).collect();
    for (lan, row) in plan.lans.iter().zip(&rows) {
        canvas.write(*row, 0, &format!("{}  {}", lan.name, lan.range));
        canvas.write(*row, label, &"═".repeat(routers + plan.routers.len() * ROUTER - label));
        for (number, (name, address)) in lan.hosts.iter().enumerate() {
            let column = label + number * host + GAP;
            canvas.write(*row, column, "╤");
            canvas.write(row + 1, column, "│");
            canvas.write(row + 2, column, name);
            canvas.write(row + 3, column, address);
        }
    }
    for (number, router) in plan.routers.iter().enumerate() {
        let column = routers + number * ROUTER;
        let (first, last) = router.ends();
        for row in rows[first]..=rows[last] {
            canvas.write(row, column, "│");
        }
        for (lan, row) in rows.iter().enumerate() {
            if let Some(address) = router.address_on(lan) {
                let end = match lan {
                    _ if lan == first => '╤',
                    _ if lan == last => '╧',
                    _ => '╪',
                };
                canvas.write(*row, column, &end.to_string());
                canvas.write(if lan == last && first != last { row - 1 } else { row + 1 }, column + 2, address);
            } else if router.passes(lan) {
                canvas.write(*row, column, "┊");
            }
        }
        let name = if router.is_program { format!("[{}: a program]", router.name) } else { format!("[{}]", router.name) };
        canvas.write(rows[first] + 2, column.saturating_sub(1), &name);
    }
    canvas.text()
}

struct Canvas {
    lines: Vec<Vec<char>>,
}

impl Canvas {
    fn write(&mut self, row: usize, column: usize, text: &str) {
        let end = column + text.chars().count();
        if self.lines.len() <= row {
            self.lines.resize(row + 1, Vec::new());
        }
        let line = &mut self.lines[row];
        if line.len() < end {
            line.resize(end, ' ');
        }
        for (place, character) in line[column..end].iter_mut().zip(text.chars()) {
            *place = character;
        }
    }

    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.iter().collect::<String>().trim_end())).collect()
    }
}
