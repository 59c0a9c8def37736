//! Pictures drawn with characters, turned into SVG.
//!
//! Theory of operation: the text is the source, since it reads in a terminal, in an editor and in a diff; the SVG is made from it, for pages that are
//! read on a phone or printed. (A diagram language would read as a picture only where a program draws it, and many pages draw it with a script from
//! elsewhere.) Each character is a cell of a grid. First it is decided which cells are lines and arrowheads and which are text, by their neighbours:
//! a hyphen in a word is text, a row of them is a line. Then boxes are found, lines drawn from cell to cell, and what is left is written over them.
//!
//! | Characters | Drawn as |
//! | --- | --- |
//! | `+---+`, `\|` | lines and boxes; a box is a process, a host or another thing that acts |
//! | `+===+` | a thick line; a box with it is tinted: an object of the kernel |
//! | `-->`, `<--`, `^`, `v` | arrows |

/// Width and height of a cell, in pixels.
const CELL: (usize, usize) = (9, 19);

/// What a cell is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Blank,
    Text,
    Horizontal { thick: bool },
    Vertical,
    Junction,
    Arrow,
}

/// A picture as a grid of characters, with what each of them is.
struct Grid {
    characters: Vec<Vec<char>>,
    cells: Vec<Vec<Cell>>,
    columns: usize,
}

/// A closed box, from corner to corner.
struct Box {
    top: usize,
    left: usize,
    bottom: usize,
    right: usize,
    thick: bool,
}

/// The SVG of a picture.
pub fn svg(text: &str) -> String {
    let grid = Grid::of(text);
    let (width, height) = (CELL.0 * (grid.columns + 2), CELL.1 * (grid.characters.len() + 1));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#faf9f5\"/>\n"
    );
    let mut boxes = grid.boxes();
    // What lies inside another box is drawn over it.
    boxes.sort_by_key(|one| std::cmp::Reverse((one.bottom - one.top) * (one.right - one.left)));
    for one in boxes {
        let ((left, top), (right, bottom)) =
            (middle(one.top, one.left), middle(one.bottom, one.right));
        let fill = if one.thick { "#dbe8f4" } else { "#ffffff" };
        out.push_str(&format!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"/>\n",
            right - left,
            bottom - top
        ));
    }
    for (thick, width) in [(false, "1.3"), (true, "2.6")] {
        let lines = grid.lines(thick);
        if !lines.is_empty() {
            out.push_str(&format!("<path d=\"{lines}\" fill=\"none\" stroke=\"#3b4a5a\" stroke-width=\"{width}\" stroke-linecap=\"square\"/>\n"));
        }
    }
    let arrows = grid.arrows();
    if !arrows.is_empty() {
        out.push_str(&format!("<path d=\"{arrows}\" fill=\"#3b4a5a\"/>\n"));
    }
    for (row, column, words) in grid.words() {
        let (x, y) = (CELL.0 * (column + 1), CELL.1 * (row + 1) + 2);
        let length = CELL.0 * words.chars().count();
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        out.push_str(&format!(
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacing\" fill=\"#1d2733\" xml:space=\"preserve\">{words}</text>\n"
        ));
    }
    out.push_str("</svg>\n");
    out
}

/// The places (line and column, from 1) of each `|` that stands alone between blanks and meets no line. Most
/// often the box is then a column too wide, or too narrow.
pub fn loose_ends(text: &str) -> Vec<(usize, usize)> {
    let grid = Grid::of(text);
    let mut found = Vec::new();
    for row in 0..grid.cells.len() {
        for column in 0..grid.cells[row].len() {
            let [_, _, left, right] =
                Grid::around(row, column).map(|(row, column)| grid.at(row, column));
            let piece = grid.characters[row][column] == '|' && left == ' ' && right == ' ';
            if piece && grid.cells[row][column] == Cell::Text {
                found.push((row + 1, column + 1));
            }
        }
    }
    found
}

/// The middle of a cell.
fn middle(row: usize, column: usize) -> (usize, usize) {
    (CELL.0 * (column + 1) + CELL.0 / 2, CELL.1 * (row + 1) - 3)
}

impl Grid {
    fn of(text: &str) -> Self {
        let characters: Vec<Vec<char>> = text
            .trim_matches('\n')
            .lines()
            .map(|line| line.trim_end().chars().collect())
            .collect();
        let columns = characters.iter().map(Vec::len).max().unwrap_or(0);
        let cells = characters
            .iter()
            .map(|row| {
                row.iter().map(|&c| if c == ' ' { Cell::Blank } else { Cell::Text }).collect()
            })
            .collect();
        let mut grid = Self { characters, cells, columns };
        grid.find_horizontals();
        grid.find_verticals();
        grid.find_junctions();
        grid.find_arrows();
        grid
    }

    /// The character at a place that may lie outside; a blank there.
    fn at(&self, row: usize, column: usize) -> char {
        self.characters.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ')
    }

    fn cell(&self, row: usize, column: usize) -> Cell {
        self.cells.get(row).and_then(|row| row.get(column)).copied().unwrap_or(Cell::Blank)
    }

    /// The neighbours above, below, left and right, as places; those beyond the upper and the left edge are places that hold nothing.
    fn around(row: usize, column: usize) -> [(usize, usize); 4] {
        [
            (row.wrapping_sub(1), column),
            (row + 1, column),
            (row, column.wrapping_sub(1)),
            (row, column + 1),
        ]
    }

    /// Rows of `-` and `=` that are long enough, or lead to an arrowhead or a corner.
    fn find_horizontals(&mut self) {
        for row in 0..self.characters.len() {
            let mut column = 0;
            while column < self.characters[row].len() {
                let kind = self.characters[row][column];
                let length =
                    self.characters[row][column..].iter().take_while(|&&c| c == kind).count();
                if kind == '-' || kind == '=' {
                    let (before, after) =
                        (self.at(row, column.wrapping_sub(1)), self.at(row, column + length));
                    let arrow = (before == '<' || after == '>') && (kind == '-' || length > 1);
                    let corner =
                        (before == '+' || after == '+' || before == '|' || after == '|')
                            && length > 1
                            || before == '+' && after == '+';
                    if length > 2 || arrow || corner {
                        self.cells[row][column..column + length]
                            .fill(Cell::Horizontal { thick: kind == '=' });
                    }
                }
                column += length;
            }
        }
    }

    /// `|` above or below another one, a corner or an arrowhead, or touched by a line.
    fn find_verticals(&mut self) {
        for row in 0..self.characters.len() {
            for column in 0..self.characters[row].len() {
                let [above, below, left, right] = Self::around(row, column);
                let end = |place: (usize, usize), arrow| {
                    let c = self.at(place.0, place.1);
                    c == '|'
                        || c == '+'
                        || c == arrow
                        || matches!(self.cell(place.0, place.1), Cell::Horizontal { .. })
                };
                let touched = |place: (usize, usize)| {
                    matches!(self.cell(place.0, place.1), Cell::Horizontal { .. })
                };
                if self.characters[row][column] == '|'
                    && (end(above, '^') || end(below, 'v') || touched(left) || touched(right))
                {
                    self.cells[row][column] = Cell::Vertical;
                }
            }
        }
    }

    fn find_junctions(&mut self) {
        for row in 0..self.characters.len() {
            for column in 0..self.characters[row].len() {
                let [above, below, left, right] =
                    Self::around(row, column).map(|(row, column)| self.cell(row, column));
                let crossed = [above, below].contains(&Cell::Vertical)
                    || [left, right].iter().any(|cell| matches!(cell, Cell::Horizontal { .. }));
                if self.characters[row][column] == '+' && crossed {
                    self.cells[row][column] = Cell::Junction;
                }
            }
        }
    }

    fn find_arrows(&mut self) {
        for row in 0..self.characters.len() {
            for column in 0..self.characters[row].len() {
                let [above, below, left, right] = Self::around(row, column);
                let line = |place: (usize, usize)| {
                    matches!(self.cell(place.0, place.1), Cell::Horizontal { .. })
                };
                let upright = |place: (usize, usize)| {
                    matches!(self.cell(place.0, place.1), Cell::Vertical | Cell::Junction)
                };
                let in_word = [left, right]
                    .iter()
                    .any(|&(row, column)| self.at(row, column).is_alphanumeric());
                let arrow = match self.characters[row][column] {
                    '>' => line(left),
                    '<' => line(right),
                    'v' => upright(above) && !in_word,
                    '^' => upright(below) && !in_word,
                    _ => false,
                };
                if arrow {
                    self.cells[row][column] = Cell::Arrow;
                }
            }
        }
    }

    /// The path of all lines that are thick, or are not: for each cell the halves that lead to a neighbour which is a line too.
    fn lines(&self, thick: bool) -> String {
        let mut path = String::new();
        for row in 0..self.cells.len() {
            let mut column = 0;
            while column < self.cells[row].len() {
                let cell = self.cells[row][column];
                let [above, below, left, right] =
                    Self::around(row, column).map(|(row, column)| self.cell(row, column));
                let (x, y) = middle(row, column);
                match cell {
                    Cell::Horizontal { thick: this } => {
                        let length = self.cells[row][column..]
                            .iter()
                            .take_while(|&&next| next == cell)
                            .count();
                        if this == thick {
                            let end = CELL.0 * (column + length + 1);
                            path.push_str(&format!("M{} {y}H{end}", CELL.0 * (column + 1)));
                        }
                        column += length;
                        continue;
                    }
                    Cell::Vertical | Cell::Junction => {
                        // Two corners one above the other belong to two boxes.
                        let upright = |cell| matches!(cell, Cell::Vertical | Cell::Arrow);
                        // Up to a line that passes by, or halfway to the next cell.
                        let reach = |cell| {
                            if matches!(cell, Cell::Horizontal { .. }) {
                                CELL.1
                            } else {
                                CELL.1.div_ceil(2)
                            }
                        };
                        if !thick && (cell == Cell::Vertical || upright(above)) {
                            path.push_str(&format!("M{x} {}V{y}", y - reach(above)));
                        }
                        if !thick && (cell == Cell::Vertical || upright(below)) {
                            path.push_str(&format!("M{x} {y}V{}", y + reach(below)));
                        }
                        if left == (Cell::Horizontal { thick })
                            || (!thick && cell == Cell::Junction && left == Cell::Arrow)
                        {
                            path.push_str(&format!("M{} {y}H{x}", CELL.0 * (column + 1)));
                        }
                        if right == (Cell::Horizontal { thick })
                            || (!thick && cell == Cell::Junction && right == Cell::Arrow)
                        {
                            path.push_str(&format!("M{x} {y}H{}", CELL.0 * (column + 2)));
                        }
                    }
                    Cell::Arrow | Cell::Blank | Cell::Text => {}
                }
                column += 1;
            }
        }
        path
    }

    fn arrows(&self) -> String {
        let mut path = String::new();
        for row in 0..self.cells.len() {
            for column in 0..self.cells[row].len() {
                if self.cells[row][column] == Cell::Arrow {
                    let (x, y) = middle(row, column);
                    let (start, end) = (CELL.0 * (column + 1), CELL.0 * (column + 2));
                    path.push_str(&match self.characters[row][column] {
                        '>' => format!("M{start} {}L{end} {y}L{start} {}Z", y - 4, y + 4),
                        '<' => format!("M{end} {}L{start} {y}L{end} {}Z", y - 4, y + 4),
                        'v' => {
                            format!("M{} {}L{x} {}L{} {}Z", x - 4, y - 9, y + 6, x + 4, y - 9)
                        }
                        _ => format!("M{} {}L{x} {}L{} {}Z", x - 4, y + 9, y - 6, x + 4, y + 9),
                    });
                }
            }
        }
        path
    }

    /// The text, in runs that have no more than one blank between two words.
    fn words(&self) -> Vec<(usize, usize, String)> {
        let mut runs = Vec::new();
        for row in 0..self.cells.len() {
            let mut run: Option<(usize, String)> = None;
            for column in 0..=self.cells[row].len() {
                let goes_on = match self.cell(row, column) {
                    Cell::Text => true,
                    Cell::Blank => run.is_some() && self.cell(row, column + 1) == Cell::Text,
                    _ => false,
                };
                if goes_on {
                    run.get_or_insert_with(|| (column, String::new()))
                        .1
                        .push(self.at(row, column));
                } else if let Some((start, text)) = run.take() {
                    runs.push((row, start, text));
                }
            }
        }
        runs
    }

    /// The smallest closed box below and right of each corner.
    fn boxes(&self) -> Vec<Box> {
        let mut found = Vec::new();
        for top in 0..self.cells.len() {
            for left in 0..self.cells[top].len() {
                if self.cells[top][left] == Cell::Junction
                    && let Some(one) = self.smallest_box(top, left)
                {
                    found.push(one);
                }
            }
        }
        found
    }

    fn smallest_box(&self, top: usize, left: usize) -> Option<Box> {
        let flat = |row, column| {
            matches!(
                self.cell(row, column),
                Cell::Horizontal { .. } | Cell::Junction | Cell::Arrow
            )
        };
        let upright = |row, column| {
            matches!(self.cell(row, column), Cell::Vertical | Cell::Junction | Cell::Arrow)
        };
        let corner = |row, column| self.cell(row, column) == Cell::Junction;
        // Corners one above the other belong to two boxes.
        if !matches!(self.cell(top + 1, left), Cell::Vertical | Cell::Arrow) {
            return None;
        }
        for right in (left + 1..self.columns)
            .take_while(|&column| flat(top, column))
            .filter(|&column| corner(top, column))
        {
            let sides = (top + 1..self.cells.len())
                .take_while(|&row| upright(row, left) && upright(row, right));
            for bottom in sides.filter(|&row| corner(row, left) && corner(row, right)) {
                if (left..=right).all(|column| flat(bottom, column)) {
                    return Some(Box {
                        top,
                        left,
                        bottom,
                        right,
                        thick: self.cell(top, left + 1) == (Cell::Horizontal { thick: true }),
                    });
                }
            }
        }
        None
    }
}
